"""Listener filters: they look at the first bytes of a connection so that a filter chain can be chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from discovery.wire.envoy import HttpInspector, OriginalDst, OriginalSrc, TlsInspector, pack

__all__ = ["ORIGINAL_DST", "Inspection", "http_inspector", "original_src", "tls_inspector"]

ORIGINAL_DST: Final = {"name": "envoy.filters.listener.original_dst", "typed_config": pack(OriginalDst())}
# 512 bytes hold a usual ClientHello; Envoy reads on by itself when they do not.
_TLS: Final = {
    "name": "envoy.filters.listener.tls_inspector",
    "typed_config": pack(TlsInspector(initial_read_buffer_size={"value": 512})),
}
_HTTP: Final = {"name": "envoy.filters.listener.http_inspector", "typed_config": pack(HttpInspector())}


class Inspection(msgspec.Struct, frozen=True, cache_hash=True):
    """Where an inspector works: on all destination ports but ``ports``, or on ``ports`` only.

    A connection that is inspected waits for its first bytes; protocols where the server speaks first must be spared.
    """

    ports: tuple[int, ...] = ()  # sorted
    only: bool = False


def _ranges(ports: Sequence[int]) -> dict[str, Any]:
    rules: list[dict[str, Any]] = [{"destination_port_range": {"start": port, "end": port + 1}} for port in ports]
    return rules[0] if len(rules) == 1 else {"or_match": {"rules": rules}}


def _inspector(constant: dict[str, Any], where: Inspection) -> dict[str, Any]:
    if not where.ports:
        return constant
    predicate = _ranges(where.ports)
    return constant | {"filter_disabled": {"not_match": predicate} if where.only else predicate}


def tls_inspector(where: Inspection) -> dict[str, Any]:
    """Finds out whether a connection is TLS, its server name and its ALPN."""
    return _inspector(_TLS, where)


def http_inspector(where: Inspection) -> dict[str, Any]:
    """Finds out whether a plaintext connection is HTTP; must come after the TLS inspector."""
    return _inspector(_HTTP, where)


def original_src(mark: int) -> dict[str, Any]:
    """Keeps the caller's address towards the application (TPROXY); ``mark`` leads answers back to the proxy."""
    return {"name": "envoy.filters.listener.original_src", "typed_config": pack(OriginalSrc(mark=mark))}
