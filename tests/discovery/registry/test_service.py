from __future__ import annotations

import pytest

from discovery.registry.service import Port, Protocol, ProtocolClass, Registry, Resolution, Service, ServiceRef
from discovery.schema.meta import Kind, ObjectKey


@pytest.mark.parametrize(
    ("protocol", "family", "http2", "tls"),
    [
        (Protocol.HTTP, ProtocolClass.HTTP, False, False),
        (Protocol.GRPC_WEB, ProtocolClass.HTTP, True, False),
        (Protocol.HTTPS, ProtocolClass.TCP, False, True),
        (Protocol.MYSQL, ProtocolClass.TCP, False, False),
        (Protocol.UDP, ProtocolClass.UDP, False, False),
        (Protocol.UNSUPPORTED, ProtocolClass.AUTO, False, False),
    ],
)
def test_families_of_protocols(protocol: Protocol, family: ProtocolClass, *, http2: bool, tls: bool) -> None:
    """What a port's traffic is handled as."""
    assert (protocol.family, protocol.is_http2, protocol.is_tls) == (family, http2, tls)


def test_ports_are_found_by_number() -> None:
    """A service has one port of a number, or none."""
    port = Port("http", 80, Protocol.HTTP)
    service = Service(
        ref=ServiceRef("a", "shop"),
        name="a",
        registry=Registry.EXTERNAL,
        source=ObjectKey(Kind.SERVICE_ENTRY, "shop", "a"),
        ports=(port,),
        resolution=Resolution.CLIENT_SIDE_LB,
    )
    assert service.port(80) is port
    assert service.port(81) is None
