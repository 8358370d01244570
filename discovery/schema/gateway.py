"""Gateway: the ports and hosts that a proxy at the mesh's edge serves, and the TLS it terminates there.

Spec: https://istio.io/latest/docs/reference/config/networking/gateway/
"""

from __future__ import annotations

from collections.abc import Mapping

from discovery.schema.message import Message, UInt32
from discovery.schema.server_tls import ServerTLSSettings

__all__ = ["Gateway", "GatewayPort", "GatewayServer"]


class GatewayPort(Message, frozen=True, kw_only=True):
    """A port of the proxy; ``protocol`` is one of HTTP, HTTPS, GRPC, GRPC-WEB, HTTP2, MONGO, TCP, TLS in any case."""

    required = ("number", "protocol", "name")

    number: UInt32 = 0
    protocol: str = ""
    name: str = ""
    target_port: UInt32 = 0  # deprecated, no effect


class GatewayServer(Message, frozen=True, kw_only=True):
    """Hosts (``[namespace/]dnsName``) on one port."""

    required = ("hosts", "port")

    port: GatewayPort | None = None
    bind: str = ""
    hosts: tuple[str, ...] = ()
    tls: ServerTLSSettings | None = None
    default_endpoint: str = ""
    name: str = ""


class Gateway(Message, frozen=True, kw_only=True):
    """Servers of the proxies whose labels match; an empty selector matches all."""

    servers: tuple[GatewayServer, ...] = ()
    selector: Mapping[str, str] = {}
