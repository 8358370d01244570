"""Which hosts are given an address, and what a change of one costs."""

from __future__ import annotations

from discovery.mesh.auto_addresses import auto_addresses
from discovery.mesh.services import service
from discovery.registry.service import ServiceRef
from discovery.schema.meta import Kind, ObjectKey
from tests.kit.mesh_db import MeshDb


def entry(
    name: str, host: str, *, spec: str = "resolution: DNS", labels: str = "{}", created: str = "2024-01-01"
) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: shop, creationTimestamp: '{created}T00:00:00Z', labels: {labels}}}
spec: {{hosts: ['{host}'], ports: [{{number: 80, name: http, protocol: HTTP}}], {spec}}}
"""


def addresses(mesh: MeshDb, host: str) -> tuple[str, ...]:
    found = service(mesh.db, ServiceRef(host, "shop"))
    assert found is not None
    return found.auto_addresses


def test_hosts_without_address_are_given_one() -> None:
    """An IPv4 and an IPv6 one; the case of the host does not matter."""
    mesh = MeshDb(entry("a", "A.example"))
    v4, v6 = addresses(mesh, "a.example")
    assert v4.startswith("240.240.")
    assert v6.startswith("2001:2::f0f0:")


def test_some_hosts_get_none() -> None:
    """Those with addresses, wildcards, entries that resolve to what was dialled, and those that opted out."""
    mesh = MeshDb(
        entry("a", "a.example", spec="resolution: DNS, addresses: [9.9.9.9]")
        + entry("b", "*.b.example", spec="resolution: DYNAMIC_DNS")
        + entry("c", "c.example", spec="resolution: NONE")
        + entry("d", "d.example", labels="{networking.istio.io/enable-autoallocate-ip: 'false'}")
    )
    for host in ("a.example", "*.b.example", "c.example", "d.example"):
        assert addresses(mesh, host) == ()
    assert auto_addresses(mesh.db, ObjectKey(Kind.SERVICE_ENTRY, "shop", "missing")) == {}


def test_a_new_host_leaves_services_of_others_alone() -> None:
    """Addresses are allocated anew, and come out the same."""
    mesh = MeshDb(entry("a", "a.example"))
    before = addresses(mesh, "a.example")
    runs = mesh.db.runs_by_query.copy()
    mesh.apply(entry("b", "b.example", created="2024-02-01"))
    assert addresses(mesh, "a.example") == before
    again = mesh.db.runs_by_query - runs
    assert again["declared_services"] == 0
    assert again["_allocation"] == 1


def test_endpoints_of_an_entry_allocate_nothing_anew() -> None:
    """Only hosts, age and opting out count."""
    one = "resolution: STATIC, endpoints: [{address: 1.1.1.1}]"
    mesh = MeshDb(entry("a", "a.example", spec=one))
    before = addresses(mesh, "a.example")
    runs = mesh.db.runs_by_query.copy()
    mesh.apply(entry("a", "a.example", spec=one.replace("1.1.1.1", "2.2.2.2")))
    assert addresses(mesh, "a.example") == before
    assert (mesh.db.runs_by_query - runs)["_allocation"] == 0
