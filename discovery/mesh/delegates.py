"""Delegation: a route of one VirtualService that is spelled out by another.

Matches of root and delegate are combined pairwise. A delegate route whose matches could never meet the root's is left
out. What the delegate does not say it inherits from the root.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#Delegate
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from discovery.schema.virtual_service import HTTPMatchRequest, HTTPRoute, StringMatch

__all__ = ["merge_delegate"]

_INHERITED: Final = (
    "rewrite",
    "direct_response",
    "timeout",
    "retries",
    "fault",
    "mirror",
    "mirror_percent",
    "mirror_percentage",
    "mirrors",
    "cors_policy",
    "headers",
)
_STRINGS: Final = ("uri", "scheme", "method", "authority")
_STRING_MAPS: Final = ("headers", "without_headers", "query_params")


def merge_delegate(root: HTTPRoute, delegate: Iterable[HTTPRoute]) -> tuple[HTTPRoute, ...]:
    """The routes that take the place of ``root``: the delegate's, narrowed by the root's matches."""
    merged = []
    for route in delegate:
        matches = _merge_matches(root.match, route.match)
        if matches is not None:
            merged.append(_merge_route(root, route, matches))
    return tuple(merged)


def _merge_route(root: HTTPRoute, route: HTTPRoute, matches: tuple[HTTPMatchRequest, ...]) -> HTTPRoute:
    changes: dict[str, Any] = {"match": matches, "name": _joined(root.name, route.name), "delegate": None}
    for field in _INHERITED:
        if not _given(getattr(route, field)):
            changes[field] = getattr(root, field)
    return replace(route, **changes)


def _given(value: object) -> bool:
    return value is not None and value != ()


def _joined(root: str, leaf: str) -> str:
    return "-".join(part for part in (root, leaf) if part)


def _merge_matches(
    root: tuple[HTTPMatchRequest, ...], delegate: tuple[HTTPMatchRequest, ...]
) -> tuple[HTTPMatchRequest, ...] | None:
    """Every pair that can both hold; None when some match of the delegate agrees with none of the root's."""
    if not root or not delegate:
        return root or delegate
    merged: list[HTTPMatchRequest] = []
    for leaf in delegate:
        pairs = [_merge_match(match, leaf) for match in root if not _conflict(match, leaf)]
        if not pairs:
            return None
        merged += pairs
    return tuple(merged)


def _merge_match(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> HTTPMatchRequest:
    changes: dict[str, Any] = {"name": _joined(root.name, leaf.name)}
    for field in (*_STRINGS, "port", "source_namespace", "gateways", "stat_prefix"):
        changes[field] = getattr(leaf, field) or getattr(root, field)
    for field in (*_STRING_MAPS, "source_labels"):
        changes[field] = {**getattr(root, field), **getattr(leaf, field)}
    return replace(leaf, **changes)


def _conflict(root: HTTPMatchRequest, leaf: HTTPMatchRequest) -> bool:
    return (
        root.ignore_uri_case != leaf.ignore_uri_case
        or any(_strings_conflict(getattr(root, field), getattr(leaf, field)) for field in _STRINGS)
        or any(_maps_conflict(getattr(root, field), getattr(leaf, field)) for field in _STRING_MAPS)
        or bool(root.port and leaf.port and root.port != leaf.port)
        or bool(root.source_namespace and leaf.source_namespace and root.source_namespace != leaf.source_namespace)
        or any(root.source_labels.get(key, value) != value for key, value in leaf.source_labels.items())
        or bool(root.gateways and leaf.gateways and not set(leaf.gateways) <= set(root.gateways))
    )


def _maps_conflict(root: Mapping[str, StringMatch], leaf: Mapping[str, StringMatch]) -> bool:
    return any(_strings_conflict(root.get(key), match) for key, match in leaf.items())


def _strings_conflict(root: StringMatch | None, leaf: StringMatch | None) -> bool:
    """Whether the leaf's match is not plainly within the root's; what a regex covers is not guessed at."""
    if root is None or leaf is None:
        return False
    if root.regex or leaf.regex:
        return True
    if root.exact is not None:
        return leaf.exact != root.exact
    narrower = leaf.exact if leaf.exact is not None else leaf.prefix
    return narrower is None or not narrower.startswith(root.prefix or "")
