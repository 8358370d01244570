"""Which services there are, who may see them, and what a change of one costs."""

from __future__ import annotations

from discovery.mesh.services import all_services, duplicated_hosts, service, visible_services
from discovery.registry.service import Registry, ServiceRef
from discovery.schema.mesh_config import MeshConfig
from tests.kit.mesh_db import MeshDb


def kubernetes(name: str, namespace: str, *, export_to: str = "", created: str = "2024-01-01") -> str:
    annotations = f", annotations: {{networking.istio.io/exportTo: '{export_to}'}}" if export_to else ""
    return f"""---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '{created}T00:00:00Z'{annotations}}}
spec: {{clusterIP: 10.0.0.1, ports: [{{name: http, port: 80}}]}}
"""


def entry(name: str, namespace: str, host: str, *, port: int = 80) -> str:
    return f"""---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: {namespace}, creationTimestamp: '2024-02-01T00:00:00Z'}}
spec:
  hosts: ['{host}']
  resolution: STATIC
  ports: [{{number: {port}, name: http, protocol: HTTP}}]
"""


def names(refs: tuple[ServiceRef, ...]) -> list[str]:
    return [f"{ref.host.split('.')[0]}/{ref.namespace}" for ref in refs]


def test_services_stand_oldest_first() -> None:
    """Conflicts are settled by age, then by name and namespace."""
    mesh = MeshDb(kubernetes("b", "x", created="2024-01-02") + kubernetes("c", "x") + kubernetes("a", "y"))
    assert names(all_services(mesh.db, None)) == ["a/y", "c/x", "b/x"]


def test_export_decides_who_sees_a_service() -> None:
    """Everybody by default; own namespace, named namespaces or nobody as written; the mesh may change the default."""
    text = (
        kubernetes("open", "shop")
        + kubernetes("own", "shop", export_to=".")
        + kubernetes("named", "shop", export_to="web,.")
        + kubernetes("none", "shop", export_to="~")
    )
    mesh = MeshDb(text)
    assert names(visible_services(mesh.db, "shop")) == ["named/shop", "open/shop", "own/shop"]
    assert names(visible_services(mesh.db, "web")) == ["named/shop", "open/shop"]
    assert names(visible_services(mesh.db, "other")) == ["open/shop"]
    private = MeshDb(kubernetes("open", "shop"), mesh=MeshConfig(default_service_export_to=(".",)))
    assert names(visible_services(private.db, "other")) == []


def test_entries_of_one_namespace_for_one_host_act_as_one() -> None:
    """Ports of all, the oldest object's facts; a Kubernetes Service hides them."""
    mesh = MeshDb(entry("one", "shop", "x.example") + entry("two", "shop", "x.example", port=81))
    found = service(mesh.db, ServiceRef("x.example", "shop"))
    assert found is not None
    assert [port.number for port in found.ports] == [80, 81]
    assert found.name == "one"
    mesh.apply(kubernetes("k", "shop") + entry("three", "shop", "k.shop.svc.cluster.local"))
    hidden = service(mesh.db, ServiceRef("k.shop.svc.cluster.local", "shop"))
    assert hidden is not None
    assert hidden.registry is Registry.KUBERNETES


def test_hosts_of_several_namespaces_are_known() -> None:
    """Only those need a choice."""
    mesh = MeshDb(entry("a", "x", "dup.example") + entry("b", "y", "dup.example") + entry("c", "y", "one.example"))
    assert duplicated_hosts(mesh.db, None) == {"dup.example"}


def test_a_port_edit_selects_nothing_anew() -> None:
    """Order and visibility do not depend on ports."""
    mesh = MeshDb(entry("a", "x", "a.example") + entry("b", "x", "b.example"))
    before = visible_services(mesh.db, "x")
    runs = mesh.db.runs_by_query.copy()
    mesh.apply(entry("a", "x", "a.example", port=99))
    assert visible_services(mesh.db, "x") == before
    ran = mesh.db.runs_by_query - runs
    assert ran["visible_services"] == ran["_facets"] == 0


def test_a_service_that_is_gone_is_none() -> None:
    """Deleting the object removes the service everywhere."""
    mesh = MeshDb(entry("a", "x", "a.example"))
    assert service(mesh.db, ServiceRef("a.example", "x")) is not None
    (key,) = mesh.objects
    mesh.delete(key.kind, key.namespace, key.name)
    assert service(mesh.db, ServiceRef("a.example", "x")) is None
    assert all_services(mesh.db, None) == ()
