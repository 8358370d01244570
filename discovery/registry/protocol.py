"""Which protocol a port speaks: from ``appProtocol``, the port's name, or a ``protocol`` field.

Spec: https://istio.io/latest/docs/ops/configuration/traffic-management/protocol-selection/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from discovery.registry.service import Protocol

__all__ = ["kubernetes_protocol", "parse_protocol"]

_BY_NAME: Final[Mapping[str, Protocol]] = {
    "tcp": Protocol.TCP,
    "udp": Protocol.UDP,
    "grpc": Protocol.GRPC,
    "grpc-web": Protocol.GRPC_WEB,
    "http": Protocol.HTTP,
    "http_proxy": Protocol.HTTP_PROXY,
    "http2": Protocol.HTTP2,
    "https": Protocol.HTTPS,
    "tls": Protocol.TLS,
    "mongo": Protocol.MONGO,
    "redis": Protocol.REDIS,
    "mysql": Protocol.MYSQL,
}
_APP_PROTOCOLS: Final[Mapping[str, Protocol]] = {
    "kubernetes.io/h2c": Protocol.HTTP2,
    "kubernetes.io/ws": Protocol.HTTP,
    "kubernetes.io/wss": Protocol.HTTPS,
}
# SMTP, DNS, MySQL and MongoDB: the server speaks first (or the protocol is too old to sniff), so waiting for the
# client's first bytes would hang the connection.
_SERVER_FIRST_PORTS: Final = frozenset({25, 53, 3306, 27017})


def parse_protocol(text: str) -> Protocol:
    """The protocol of that name in any case; UNSUPPORTED (sniffed) when there is none."""
    return _BY_NAME.get(text.lower(), Protocol.UNSUPPORTED)


def kubernetes_protocol(*, number: int, name: str, transport: str = "TCP", app_protocol: str | None = None) -> Protocol:
    """The protocol of a Kubernetes service port."""
    if transport == "UDP":
        return Protocol.UDP
    text = app_protocol or name
    if text in _APP_PROTOCOLS:
        return _APP_PROTOCOLS[text]
    if text.lower().startswith("grpc-web"):
        return Protocol.GRPC_WEB
    protocol = parse_protocol(text.partition("-")[0])
    if protocol is Protocol.UNSUPPORTED and number in _SERVER_FIRST_PORTS:
        return Protocol.TCP
    return protocol
