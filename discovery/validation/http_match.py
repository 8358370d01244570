"""Rules of what HTTP routes look for in requests, and of the headers that they change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.schema.virtual_service import HeaderOperations, Headers, HTTPMatchRequest, StringMatch
from discovery.validation.fields import check_labels, check_one_line, check_port, error
from discovery.validation.regexes import check_regex

__all__ = ["CLAIM", "check_header_name", "check_headers", "check_match", "check_string"]

CLAIM: Final = "@request.auth.claims"
"""How the name of a header begins that stands for a claim of the request's token; gateways can match these."""

_HEADER: Final = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+\Z")
_MAX_VALUE_BYTES: Final = 16_384
_MAX_PARAMETER_BYTES: Final = 1024
# A command of Envoy's, such as %REQ(x-id):20%, or the sign itself.
_COMMAND: Final = re.compile(r"%(?:%|[A-Z0-9_]+(?:\(.*?\))?(?::[0-9]+)?%)")
_CLAIM: Final = re.compile(re.escape(CLAIM) + r"(?:\.[^\[\]]+|(?:\[[^\[\]]+\])+)\Z")


def check_match(match: HTTPMatchRequest, at: str) -> Iterator[Problem]:
    """What is wrong with the conditions."""
    if match.uri is not None and match.uri.regex is not None:
        yield from check_string(match.uri, f"{at}.uri")
    for name in ("scheme", "method", "authority"):
        string: StringMatch | None = getattr(match, name)
        if string is not None:
            yield from check_string(string, f"{at}.{name}")
    for field, headers in (
        ("headers", match.headers),
        ("withoutHeaders", match.without_headers),
        ("queryParams", match.query_params),
    ):
        for header, string in headers.items():
            if not header:
                yield error(f"{at}.{field}", "want a name, got none")
            elif field != "queryParams":
                yield from _matched_name(header, f"{at}.{field}")
            elif len(header.encode()) > _MAX_PARAMETER_BYTES:
                yield error(
                    f"{at}.{field}", f"want names of at most {_MAX_PARAMETER_BYTES} bytes, got {header[:40]!r}..."
                )
            yield from check_string(string, f"{at}.{field}[{header!r}]")
    yield from check_labels(match.source_labels, f"{at}.sourceLabels")
    if match.port:
        yield from check_port(match.port, f"{at}.port")


def _matched_name(name: str, at: str) -> Iterator[Problem]:
    if name.startswith(CLAIM):
        if not _CLAIM.match(name):
            yield error(at, f"want {CLAIM}.name or {CLAIM}[name], got {name!r}")
        return
    yield from check_header_name(name.removeprefix(":"), at)


def check_header_name(name: str, at: str) -> Iterator[Problem]:
    """A token of RFC 9110."""
    if not _HEADER.match(name):
        yield error(at, f"want the name of a header, got {name!r}")


def _header_value(text: str, at: str) -> Iterator[Problem]:
    yield from check_one_line(text, at)
    size = len(text.encode())
    if size > _MAX_VALUE_BYTES:
        yield error(at, f"want at most {_MAX_VALUE_BYTES} bytes, got {size}")
    if "%" in _COMMAND.sub("", text):
        yield error(at, f"a % begins a command such as %PROTOCOL%, got {text[:40]!r}", "write %% for the sign itself")


def check_string(string: StringMatch, at: str) -> Iterator[Problem]:
    """Not empty, and if it is a regular expression, one."""
    if string.prefix == "":
        yield error(f"{at}.prefix", "want a prefix, got none", "leave out the match to match everything")
    if string.regex is not None:
        if not string.regex:
            yield error(f"{at}.regex", "want a regular expression, got none")
        yield from check_regex(string.regex, f"{at}.regex")


def check_headers(headers: Headers | None, at: str, *, rewritten: bool = False) -> Iterator[Problem]:
    """What is wrong with the changes; ``rewritten``: the route sets the authority already."""
    if headers is None:
        return
    request, response = headers.request, headers.response
    if request is not None:
        yield from _operations(request, f"{at}.request", authority=True)
        authorities = [name for name in (*request.set, *request.add) if name.lower() == ":authority"]
        if authorities and (rewritten or len(authorities) > 1):
            yield error(f"{at}.request", "the authority is set twice", "keep rewrite.authority, or the header")
    if response is not None:
        yield from _operations(response, f"{at}.response", authority=False)


def _operations(operations: HeaderOperations, at: str, *, authority: bool) -> Iterator[Problem]:
    for field, values in (("set", operations.set), ("add", operations.add)):
        for name, value in values.items():
            yield from _header_value(value, f"{at}.{field}[{name!r}]")
    for field, names in (("set", operations.set), ("add", operations.add), ("remove", operations.remove)):
        for name in names:
            if authority and field != "remove" and name.lower() == ":authority":
                continue
            if name.startswith(":") or name.lower() == "host":
                yield error(f"{at}.{field}", f"the header {name!r} cannot be changed", "use rewrite")
            else:
                yield from check_header_name(name, f"{at}.{field}")
