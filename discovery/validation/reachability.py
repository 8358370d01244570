"""Which rules of a VirtualService no request can meet, because an earlier one takes all that they match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import NamedTuple

import msgspec

from discovery.schema.virtual_service import HTTPMatchRequest, HTTPRoute, TCPRoute, TLSRoute, VirtualService

__all__ = ["Shadowed", "Waste", "shadowed"]

Route = HTTPRoute | TLSRoute | TCPRoute

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Waste(Enum):
    """Whether the whole rule is without effect, or one of its matches."""

    RULE = "rule"
    MATCH = "match"


class Shadowed(NamedTuple):
    """A rule that has no effect, in part or altogether."""

    waste: Waste
    at: str  # "spec.http[1]", or "spec.http[1].match[0]"
    by: str  # the rule that comes first: "spec.http[0]"
    name: str  # of the rule, or empty


def shadowed(spec: VirtualService) -> Iterator[Shadowed]:
    """What is never met, in order."""
    yield from _shadowed(spec.http, "spec.http")
    yield from _shadowed(spec.tls, "spec.tls")
    yield from _shadowed(spec.tcp, "spec.tcp")


def _shadowed(routes: Sequence[Route], at: str) -> Iterator[Shadowed]:
    everything = ""  # the rule that takes all that is left
    first: dict[bytes, str] = {}
    for i, route in enumerate(routes):
        here, name = f"{at}[{i}]", route.name if isinstance(route, HTTPRoute) else ""
        if everything:
            yield Shadowed(Waste.RULE, here, everything, name)
            continue
        waste = [(j, by) for j, match in enumerate(route.match) if (by := first.get(_key(match))) is not None]
        if route.match and len(waste) == len(route.match):
            yield Shadowed(Waste.RULE, here, waste[0][1], name)
        else:
            yield from (Shadowed(Waste.MATCH, f"{here}.match[{j}]", by, name) for j, by in waste)
        for match in route.match:
            first.setdefault(_key(match), here)
        if not route.match or any(_takes_all(match) for match in route.match):
            everything = here


def _key(match: msgspec.Struct) -> bytes:
    """Equal for matches that mean the same, whatever they are called."""
    if isinstance(match, HTTPMatchRequest):
        match = msgspec.structs.replace(match, name="", stat_prefix="")
    return _ENCODER.encode(match)


def _takes_all(match: msgspec.Struct) -> bool:
    if not isinstance(match, HTTPMatchRequest):
        return match == type(match)()
    uri = match.uri
    anything = uri is None or uri.prefix == "/" or uri.regex in (".*", "/.*")
    return (
        anything and msgspec.structs.replace(match, uri=None, name="", stat_prefix="", ignore_uri_case=False) == _NONE
    )


_NONE = HTTPMatchRequest()
