"""A WorkloadGroup as a document, from what was typed. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from discovery.ctl.errors import CtlError
from discovery.schema.decode import decode
from discovery.schema.findings import has_errors
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind
from discovery.validation.fields import check_labels

__all__ = ["build_group", "parse_pairs", "parse_ports"]

_NAME: Final = re.compile(r"[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?\Z")


def build_group(
    name: str,
    namespace: str,
    *,
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
    ports: Mapping[str, int],
    service_account: str,
) -> dict[str, Any]:
    """The document, known to be valid.

    Raises:
        CtlError: it would not be.
    """
    _check_names(name, namespace, service_account, labels)
    metadata = {"labels": dict(labels), "annotations": dict(annotations)}
    document = {
        "apiVersion": KINDS[Kind.WORKLOAD_GROUP].api_version,
        "kind": str(Kind.WORKLOAD_GROUP),
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "metadata": {key: value for key, value in metadata.items() if value},
            "template": {**({"ports": dict(ports)} if ports else {}), "serviceAccount": service_account},
        },
    }
    findings = decode(document).findings
    if has_errors(findings):
        raise CtlError("\n".join(map(str, findings)))
    return document


def _check_names(name: str, namespace: str, service_account: str, labels: Mapping[str, str]) -> None:
    """What an API server would refuse, which the control plane's own files never meet."""
    wrong = [
        f"{flag} {value!r}: want lower-case letters, digits, '-' and '.', for example inventory"
        for flag, value in (("--name", name), ("--namespace", namespace), ("--serviceAccount", service_account))
        if not _NAME.match(value)
    ]
    wrong += [f"--labels: {problem.text}" for problem in check_labels(labels, "labels")]
    if wrong:
        raise CtlError("\n".join(wrong))


def parse_pairs(flag: str, text: str) -> dict[str, str]:
    """``a=b,c=d``.

    Raises:
        CtlError: an item is no pair, or a name is there twice.
    """
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise CtlError(f"{flag} {item!r}: want name=value")
        if key in pairs:
            raise CtlError(f"{flag}: {key} is there twice, want one value")
        pairs[key] = value
    return pairs


def parse_ports(text: str) -> dict[str, int]:
    """``http=8080``.

    Raises:
        CtlError: an item is no port.
    """
    ports: dict[str, int] = {}
    for name, number in parse_pairs("--ports", text).items():
        if not (number.isascii() and number.isdecimal() and 0 < int(number) < 65536):
            raise CtlError(f"--ports {name}={number}: want a port from 1 to 65535")
        ports[name] = int(number)
    return ports
