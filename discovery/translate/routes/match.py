"""Which requests a route is for: the part of a VirtualService match that Envoy decides.

Spec: https://istio.io/latest/docs/reference/config/networking/virtual-service/#HTTPMatchRequest
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from discovery.schema.virtual_service import HTTPMatchRequest, StringMatch

__all__ = ["EVERYTHING", "is_catch_all", "operation_path", "route_match", "string_matcher"]

EVERYTHING: Final[Mapping[str, Any]] = {"prefix": "/"}

_PSEUDO_HEADERS: Final = (("method", ":method"), ("authority", ":authority"), ("scheme", ":scheme"))
_CLAIMS: Final = re.compile(r"@request\.auth\.claims(?:\.(?P<dotted>.+)|(?P<bracketed>(?:\[[^\[\]]+\])+))", re.I)
_JWT_FILTER: Final = "envoy.filters.http.jwt_authn"


def string_matcher(match: StringMatch) -> dict[str, Any]:
    """The keyword form of ``type.matcher.v3.StringMatcher``; a match without a value matches what is empty."""
    if match.regex is not None:
        return {"safe_regex": {"regex": match.regex}}
    if match.prefix:
        return {"prefix": match.prefix}
    return {"exact": match.exact or ""}


def route_match(match: HTTPMatchRequest | None, *, path_separated: bool = False) -> dict[str, Any]:
    """The keyword form of ``route.v3.RouteMatch``.

    Args:
        match: None for every request.
        path_separated: prefixes end at a slash (``/a`` is no prefix of ``/ab``), as in the Gateway API and Ingress.
    """
    if match is None:
        return dict(EVERYTHING)
    built = _path(match.uri, path_separated=path_separated)
    built["case_sensitive"] = {"value": not match.ignore_uri_case}
    if match.headers or match.without_headers:
        _add_headers(built, match)
    for field, header in _PSEUDO_HEADERS:
        wanted: StringMatch | None = getattr(match, field)
        if wanted is not None:
            built.setdefault("headers", []).append(_header(header, wanted))
    if match.query_params:
        built["query_parameters"] = [
            _query_parameter(name, match.query_params[name]) for name in sorted(match.query_params)
        ]
    return built


def _path(uri: StringMatch | None, *, path_separated: bool) -> dict[str, Any]:
    if uri is None:
        return dict(EVERYTHING)
    if uri.exact is not None:
        return {"path": uri.exact}
    if uri.regex is not None:
        return {"safe_regex": {"regex": uri.regex}}
    prefix = uri.prefix or ""
    if path_separated and prefix != "/":
        return {"path_separated_prefix": prefix.removesuffix("/")}
    return {"prefix": prefix}


def _add_headers(built: dict[str, Any], match: HTTPMatchRequest) -> None:
    """Headers by name; names that mean claims of the token become matches on what its verification left behind."""
    headers: list[dict[str, Any]] = []
    claims: list[dict[str, Any]] = []
    for wanted, inverted in ((match.headers, False), (match.without_headers, True)):
        for name, value in wanted.items():
            path = _claim_path(name)
            if path:
                claims.append(_claim(path, value, inverted=inverted))
            else:
                headers.append(_without(name, value) if inverted else _header(name, value))
    if headers:
        built["headers"] = sorted(headers, key=lambda header: header["name"])
    if claims:
        built["dynamic_metadata"] = sorted(claims, key=lambda claim: [part["key"] for part in claim["path"]])


def _asks_presence(match: StringMatch) -> bool:
    return match.regex == "*" or (match.exact is None and match.prefix is None and match.regex is None)


def _header(name: str, match: StringMatch) -> dict[str, Any]:
    if _asks_presence(match):
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_matcher(match)}


def _without(name: str, match: StringMatch) -> dict[str, Any]:
    header = _header(name, match) | {"invert_match": True}
    if "string_match" in header:
        header["treat_missing_header_as_empty"] = True  # else a request without the header would not match either
    return header


def _query_parameter(name: str, match: StringMatch) -> dict[str, Any]:
    if _asks_presence(match):
        return {"name": name, "present_match": True}
    return {"name": name, "string_match": string_matcher(match)}


def _claim_path(header: str) -> tuple[str, ...]:
    """``@request.auth.claims.a.b`` or ``@request.auth.claims[a][b]``: the claim; empty for real headers."""
    found = _CLAIMS.fullmatch(header)
    if found is None:
        return ()
    if found["dotted"] is not None:
        return tuple(found["dotted"].split("."))
    return tuple(found["bracketed"][1:-1].split("]["))


def _claim(path: tuple[str, ...], match: StringMatch, *, inverted: bool) -> dict[str, Any]:
    value = {"string_match": string_matcher(match)}
    return {
        "filter": _JWT_FILTER,
        "path": [{"key": key} for key in ("payload", *path)],
        "value": {"or_match": {"value_matchers": [value, {"list_match": {"one_of": value}}]}},
        "invert": inverted,
    }


def is_catch_all(match: Mapping[str, Any]) -> bool:
    """Whether a built match takes every request, so that no route after it is ever reached."""
    if match.get("headers") or match.get("query_parameters") or match.get("dynamic_metadata"):
        return False
    return match.get("prefix") == "/" or match.get("safe_regex", {}).get("regex") in (".*", "*")


def operation_path(match: Mapping[str, Any]) -> str:
    """The path as traces name the route: ``/prefix*``, ``/exact`` or the regular expression."""
    if "path" in match:
        return str(match["path"])
    if "safe_regex" in match:
        return str(match["safe_regex"]["regex"])
    return f"{match['prefix']}*" if "prefix" in match else "/*"
