from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.service_entry import Location, Resolution, ServiceEntry, ServicePort
from tests.kit.manifests import istio


def test_hosts_ports_and_endpoints() -> None:
    """What is not written is outside the mesh and not resolved."""
    entry = istio(
        Kind.SERVICE_ENTRY,
        """
        hosts: [a]
        ports: [{number: 443, name: tls, protocol: TLS}]
        endpoints: [{address: 1.1.1.1, ports: {tls: 1}}]
        """,
    ).spec
    assert isinstance(entry, ServiceEntry)
    assert (entry.location, entry.resolution) == (Location.MESH_EXTERNAL, Resolution.NONE)
    assert entry.ports == (ServicePort(number=443, name="tls", protocol="TLS"),)
    assert entry.endpoints[0].ports == {"tls": 1}
