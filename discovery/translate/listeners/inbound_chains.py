"""Which filter chains a port of the workload has, by its protocol and by whether it demands mutual TLS.

A permissive port must tell mutual TLS of the mesh from the application's own TLS. The mark is the ALPN that proxies of
the mesh offer and applications do not: Envoy sees the client's whole list before it chooses a chain.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from discovery.registry.service import ProtocolClass
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.listeners.spec import PLAINTEXT, TLS

__all__ = ["Slot", "inbound_slots"]

_MESH_HTTP: Final = ("istio-http/1.0", "istio-http/1.1", "istio-h2")
_MESH_TCP: Final = ("istio-peer-exchange", "istio")
_MESH: Final = ("istio", "istio-peer-exchange", *_MESH_HTTP)
_PLAIN_HTTP: Final = ("http/1.1", "h2c")


class Slot(NamedTuple):
    """One filter chain of a port."""

    transport: str
    alpn: tuple[str, ...] = ()
    http: bool = False
    mtls: bool = False  # terminate mutual TLS


_HTTP, _TCP, _AUTO = ProtocolClass.HTTP, ProtocolClass.TCP, ProtocolClass.AUTO

_STRICT: Final[Mapping[ProtocolClass, tuple[Slot, ...]]] = {
    _HTTP: (Slot(TLS, http=True, mtls=True),),
    _TCP: (Slot(TLS, mtls=True),),
    _AUTO: (Slot(TLS, _MESH_HTTP, http=True, mtls=True), Slot(TLS, mtls=True)),
}
_PERMISSIVE: Final[Mapping[ProtocolClass, tuple[Slot, ...]]] = {
    _HTTP: (Slot(TLS, _MESH, http=True, mtls=True), Slot(PLAINTEXT, http=True)),
    _TCP: (Slot(TLS, _MESH, mtls=True), Slot(TLS), Slot(PLAINTEXT)),
    _AUTO: (
        Slot(TLS, _MESH_HTTP, http=True, mtls=True),
        Slot(PLAINTEXT, _PLAIN_HTTP, http=True),
        Slot(TLS, _MESH_TCP, mtls=True),
        Slot(PLAINTEXT),
        Slot(TLS),
    ),
}
_DISABLE: Final[Mapping[ProtocolClass, tuple[Slot, ...]]] = {
    _HTTP: (Slot(PLAINTEXT, http=True),),
    _TCP: (Slot(PLAINTEXT),),
    _AUTO: (Slot(PLAINTEXT, _PLAIN_HTTP, http=True), Slot(PLAINTEXT)),
}


def inbound_slots(family: ProtocolClass, mode: MutualTLSMode) -> tuple[Slot, ...]:
    """The chains of a port, in order. UDP has none.

    ``DISABLE`` has only plaintext chains: with no chain that asks for TLS the port is not inspected at all, so the
    application's own TLS passes as bytes.
    """
    table = {MutualTLSMode.STRICT: _STRICT, MutualTLSMode.PERMISSIVE: _PERMISSIVE}.get(mode, _DISABLE)
    return table.get(family, ())
