"""A WorkloadGroup as a document, from what was typed. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.ctl.errors import CtlError
from discovery.schema.decode import decode
from discovery.schema.findings import has_errors
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind

__all__ = ["build_group", "parse_pairs", "parse_ports"]


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


def parse_pairs(flag: str, text: str) -> dict[str, str]:
    """``a=b,c=d``.

    Raises:
        CtlError: an item is no pair.
    """
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise CtlError(f"{flag} {item!r}: want name=value")
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
