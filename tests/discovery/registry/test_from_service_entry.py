from __future__ import annotations

import pytest

from discovery.registry.from_service_entry import services_from_service_entry
from discovery.registry.service import Port, Protocol, Registry, Resolution, Service, ServiceRef
from discovery.schema.meta import Kind
from tests.kit.manifests import istio


def convert(spec: str) -> tuple[Service, ...]:
    return services_from_service_entry(istio(Kind.SERVICE_ENTRY, spec))


def test_one_service_per_host() -> None:
    """All share ports and addresses; a host written twice is one."""
    services = convert("""
        hosts: [A.example, "*.b.example", a.example]
        addresses: [10.1.0.0/16, 10.2.0.1/32, "fd00::1/128"]
        ports: [{number: 443, name: tls, protocol: TLS, targetPort: 8443}]
        location: MESH_INTERNAL
        resolution: STATIC
        exportTo: ["."]
        subjectAltNames: [spiffe://x/y]
        workloadSelector: {labels: {app: ext}}
    """)
    assert [service.ref for service in services] == [ServiceRef("a.example", "shop"), ServiceRef("*.b.example", "shop")]
    service = services[0]
    assert service.registry is Registry.EXTERNAL
    assert service.ports == (Port("tls", 443, Protocol.TLS, 8443),)
    assert service.addresses == ("10.1.0.0/16", "10.2.0.1", "fd00::1")
    assert not service.external
    assert service.export_to == {"."}
    assert service.selector == {"app": "ext"}
    assert service.service_accounts == ("spiffe://x/y",)


@pytest.mark.parametrize(
    ("written", "resolution"),
    [
        ("NONE", Resolution.PASSTHROUGH),
        ("STATIC", Resolution.CLIENT_SIDE_LB),
        ("DNS", Resolution.DNS_LB),
        ("DNS_ROUND_ROBIN", Resolution.DNS_ROUND_ROBIN_LB),
        ("DYNAMIC_DNS", Resolution.DYNAMIC_DNS),
    ],
)
def test_resolutions(written: str, resolution: Resolution) -> None:
    """Each decides a kind of Envoy cluster."""
    assert convert(f"{{hosts: [a], resolution: {written}}}")[0].resolution is resolution


def test_defaults_are_external_and_none() -> None:
    """What is not written is MESH_EXTERNAL and NONE."""
    (service,) = convert("{hosts: [a]}")
    assert (service.external, service.resolution) == (True, Resolution.PASSTHROUGH)


def test_allocated_addresses_are_for_hosts_without_one() -> None:
    """They come by host name from whoever allocates them."""
    spec = "{hosts: [A.example, b.example]}"
    first, second = services_from_service_entry(
        istio(Kind.SERVICE_ENTRY, spec), auto_addresses={"a.example": ("240.240.0.1",)}
    )
    assert (first.auto_addresses, second.auto_addresses) == (("240.240.0.1",), ())
    (fixed,) = services_from_service_entry(
        istio(Kind.SERVICE_ENTRY, "{hosts: [a.example], addresses: [10.0.0.1]}"),
        auto_addresses={"a.example": ("240.240.0.1",)},
    )
    assert fixed.auto_addresses == ()


def test_an_address_that_is_written_in_several_ways_counts_once() -> None:
    """Envoy refuses all routes of a port where an address is there twice, and a listener where a range is."""
    addresses = "[10.0.0.1, 10.0.0.1/32, 10.9.9.9/8, 10.0.0.0/8, 'fd00::1', 'FD00:0::1']"
    (service,) = services_from_service_entry(
        istio(Kind.SERVICE_ENTRY, f"{{hosts: [a.example], addresses: {addresses}}}")
    )
    assert service.addresses == ("10.0.0.1", "10.0.0.0/8", "fd00::1")
