"""What an admission webhook says of an object: the rules of its kind, and no field that nobody would read. Pure.

Stricter than loading: here somebody is at the keyboard, so a misspelt field is an error, not a warning.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from discovery.schema.decode import DEFAULT_NAMESPACE, decode
from discovery.schema.findings import Finding, Severity
from discovery.schema.kinds import KindInfo, find_kind
from discovery.validation.objects import validate

__all__ = ["judge_admission"]

_TOP_LEVEL: Final = frozenset({"apiVersion", "kind", "metadata", "spec", "status"})
_REJECT: Final = "internal.istio.io/webhook-always-reject"
_FORBIDDEN: Final = ("internal.istio.io/parents", "internal.istio.io/parent-namespace")


def judge_admission(document: Mapping[str, Any], *, namespace: str = DEFAULT_NAMESPACE) -> tuple[Finding, ...]:
    """All that is wrong with an object that is about to be written; with an ERROR it is to be refused.

    The version within the group does not matter, as the API server converts between them. ``namespace`` is that of the
    request, for objects that name none. Objects of the Gateway API are not ours to refuse, so all that is wrong with
    them is a WARNING: their definition in the cluster may be newer than what we know.
    """
    group = str(document.get("apiVersion", "")).partition("/")[0]
    kind = str(document.get("kind", ""))
    info = find_kind(group, kind)
    if info is None or info.whole:
        return (Finding(kind, "kind", f"{kind or 'no kind'} of {group or 'no group'} is none of ours to judge"),)
    decoded = decode({**document, "apiVersion": info.api_version}, namespace=namespace)
    told = str(decoded.objects[0].key) if decoded.objects else kind
    return (
        *_about_the_whole(document, told),
        *(_judged(finding, info) for finding in decoded.findings),
        *(finding for obj in decoded.objects for finding in validate(obj)),
    )


def _judged(finding: Finding, info: KindInfo) -> Finding:
    if info.is_gateway_api:
        return msgspec.structs.replace(finding, severity=Severity.WARNING)
    if finding.problem != "unknown field":
        return finding
    return msgspec.structs.replace(finding, severity=Severity.ERROR)


def _about_the_whole(document: Mapping[str, Any], told: str) -> Iterator[Finding]:
    for name in document.keys() - _TOP_LEVEL:
        yield Finding(told, str(name), "unknown field", "settings belong under spec")
    metadata = document.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    for name in annotations if isinstance(annotations, dict) else ():
        at = f"metadata.annotations[{name!r}]"
        if name == _REJECT:
            yield Finding(told, at, "asks for a refusal, to see whether the webhook works")
        elif name in _FORBIDDEN:
            yield Finding(told, at, "is for the control plane's own use", "remove it")
