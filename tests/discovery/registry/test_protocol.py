from __future__ import annotations

import pytest

from discovery.registry.protocol import kubernetes_protocol, parse_protocol
from discovery.registry.service import Protocol


@pytest.mark.parametrize(
    ("text", "protocol"),
    [("HTTP", Protocol.HTTP), ("grpc-web", Protocol.GRPC_WEB), ("TLS", Protocol.TLS), ("thrift", Protocol.UNSUPPORTED)],
)
def test_protocol_fields_are_read_in_any_case(text: str, protocol: Protocol) -> None:
    """ServiceEntry, Sidecar and Gateway ports name their protocol."""
    assert parse_protocol(text) is protocol


@pytest.mark.parametrize(
    ("name", "app_protocol", "number", "protocol"),
    [
        ("http", None, 80, Protocol.HTTP),
        ("http-api", None, 80, Protocol.HTTP),
        ("HTTP2-x", None, 80, Protocol.HTTP2),
        ("grpc-web-x", None, 80, Protocol.GRPC_WEB),
        ("grpc-web", "http", 80, Protocol.HTTP),
        ("api", "kubernetes.io/h2c", 80, Protocol.HTTP2),
        ("api", "kubernetes.io/ws", 80, Protocol.HTTP),
        ("api", "kubernetes.io/wss", 443, Protocol.HTTPS),
        ("tcp", "example.com/custom", 80, Protocol.UNSUPPORTED),
        ("", None, 80, Protocol.UNSUPPORTED),
        ("db", None, 3306, Protocol.TCP),
        ("mysql", None, 3306, Protocol.MYSQL),
        ("", None, 53, Protocol.TCP),
    ],
)
def test_kubernetes_ports(name: str, app_protocol: str | None, number: int, protocol: Protocol) -> None:
    """appProtocol wins over the name's prefix; ports whose server speaks first are never sniffed."""
    assert kubernetes_protocol(number=number, name=name, app_protocol=app_protocol) is protocol


def test_udp_is_udp() -> None:
    """Whatever the name says."""
    assert kubernetes_protocol(number=53, name="http", transport="UDP") is Protocol.UDP
