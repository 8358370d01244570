"""Header operations: set, add and remove, on the way out and on the way back.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#Headers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.schema.virtual_service import HeaderOperations, Headers

__all__ = ["add_headers", "authority_of"]


def add_headers(fields: dict[str, Any], headers: Headers | None) -> None:
    """Append the operations to the ``*_headers_to_*`` fields of a route or a weighted cluster."""
    if headers is None:
        return
    for way, operations in (("request", headers.request), ("response", headers.response)):
        if operations is None:
            continue
        added = [
            *_values(operations.set, "OVERWRITE_IF_EXISTS_OR_ADD"),
            *_values(operations.add, "APPEND_IF_EXISTS_OR_ADD"),
        ]
        removed = [name for name in operations.remove if not _is_authority_or_pseudo(name)]
        if added:
            fields.setdefault(f"{way}_headers_to_add", []).extend(added)
        if removed:
            fields.setdefault(f"{way}_headers_to_remove", []).extend(removed)


def _values(headers: Mapping[str, str], action: str) -> list[dict[str, Any]]:
    return [
        {"header": {"key": name, "value": headers[name]}, "append_action": action}
        for name in sorted(headers)
        if not _is_authority_or_pseudo(name)
    ]


def _is_authority_or_pseudo(name: str) -> bool:
    """Envoy refuses to touch these as headers: the authority is rewritten, the others are not for users."""
    return name.startswith(":") or name.lower() == "host"


def authority_of(headers: Headers | None) -> str:
    """The authority that request headers set or add (``host`` or ``:authority``); empty when they do not."""
    request = headers.request if headers is not None else None
    if request is None:
        return ""
    return _authority(request, "set") or _authority(request, "add")


def _authority(operations: HeaderOperations, kind: str) -> str:
    headers: Mapping[str, str] = getattr(operations, kind)
    return next((value for name, value in headers.items() if name.lower() in ("host", ":authority")), "")
