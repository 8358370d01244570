"""The example's YAML: what a newcomer copies must be right by itself."""

from __future__ import annotations

from pathlib import Path

from discovery.schema.meta import Kind, Object
from discovery.sources.mesh_file import read_mesh_config
from examples.demo.layout import APP_PORT, MESH_PORT, SERVICE_PORT, Workload, read_workloads
from tests.kit.mesh_db import parse

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted((EXAMPLES / "bookinfo").glob("*.yaml"))
OBJECTS: list[Object] = [obj for file in FILES for obj in parse(file.read_text(encoding="utf-8"))]


def _of(kind: Kind) -> list[Object]:
    return [obj for obj in OBJECTS if obj.key.kind is kind]


def test_every_object_is_without_findings() -> None:
    """`parse` refuses findings; so all kinds of the example are there, and each name once."""
    assert {str(obj.key.kind) for obj in OBJECTS} == {
        "DestinationRule",
        "PeerAuthentication",
        "Service",
        "Sidecar",
        "VirtualService",
        "WorkloadEntry",
    }
    assert len({obj.key for obj in OBJECTS}) == len(OBJECTS)


def test_the_mesh_file_is_without_findings() -> None:
    """Every field of mesh.yaml is one of MeshConfig."""
    mesh, findings = read_mesh_config("mesh.yaml", (EXAMPLES / "mesh.yaml").read_bytes())
    assert mesh is not None
    assert findings == ()


def test_every_service_has_workloads() -> None:
    """Each selector matches a WorkloadEntry, and each workload but the client belongs to one service."""
    labels = [dict(entry.spec.labels) for entry in _of(Kind.WORKLOAD_ENTRY)]
    for service in _of(Kind.SERVICE):
        assert any(service.spec.spec.selector.items() <= have.items() for have in labels), service.name
    apps = {service.spec.spec.selector["app"] for service in _of(Kind.SERVICE)}
    assert {have["app"] for have in labels} - apps == {"client"}


def test_every_workload_has_an_address_of_its_own() -> None:
    """Several workloads at one address would be one workload."""
    addresses = [entry.spec.address for entry in _of(Kind.WORKLOAD_ENTRY)]
    assert len(set(addresses)) == len(addresses) == 7


def test_ports_are_those_that_the_demo_uses() -> None:
    """Services, Sidecars and the demo's command lines agree."""
    for service in _of(Kind.SERVICE):
        assert [(port.port, port.target_port) for port in service.spec.spec.ports] == [(SERVICE_PORT, MESH_PORT)]
    for sidecar in _of(Kind.SIDECAR):
        for listener in sidecar.spec.ingress:
            assert (listener.port.number, listener.default_endpoint) == (MESH_PORT, f"0.0.0.0:{APP_PORT}")
        for listener in sidecar.spec.egress:
            assert listener.port is None or listener.port.number == SERVICE_PORT


def test_callers_listen_on_their_own_address() -> None:
    """An egress listener binds the address of the workload that its Sidecar selects, else two would share one."""
    by_labels = {tuple(sorted(w.labels.items())): w.address for w in _workloads()}
    for sidecar in _of(Kind.SIDECAR):
        selector = sidecar.spec.workload_selector
        binds = {listener.bind for listener in sidecar.spec.egress if listener.port is not None}
        if selector is None:
            assert binds == set(), "it would be bound by every workload of the namespace"
            continue
        selected = {a for labels, a in by_labels.items() if dict(selector.labels).items() <= dict(labels).items()}
        assert binds == selected, sidecar.name


def test_weights_sum_to_a_hundred() -> None:
    """And every subset that is routed to is declared."""
    (routes,) = _of(Kind.VIRTUAL_SERVICE)
    (rule,) = _of(Kind.DESTINATION_RULE)
    weighted = [route for http in routes.spec.http for route in http.route if route.weight]
    assert sum(route.weight for route in weighted) == 100
    used = {route.destination.subset for http in routes.spec.http for route in http.route}
    assert used == {subset.name for subset in rule.spec.subsets}


def _workloads() -> tuple[Workload, ...]:
    return read_workloads((EXAMPLES / "bookinfo" / "workloads.yaml").read_text(encoding="utf-8"))
