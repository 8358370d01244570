from __future__ import annotations

import pytest

from discovery.registry.endpoint import Endpoint
from discovery.registry.facts import MeshFacts
from discovery.registry.from_service_entry import services_from_service_entry
from discovery.registry.from_workload_entry import (
    endpoints_from_workload_entry,
    inline_endpoints,
    is_healthy,
    workload_entry_account,
    workload_entry_labels,
)
from discovery.registry.service import Port, Protocol, Resolution
from discovery.schema.decode import decode
from discovery.schema.meta import Kind
from tests.kit.manifests import istio

FACTS = MeshFacts(cluster_id="c1")
EDS = Resolution.CLIENT_SIDE_LB
HTTP = Port("http", 80, Protocol.HTTP)


def inline(spec: str) -> tuple[Endpoint, ...]:
    obj = istio(Kind.SERVICE_ENTRY, spec)
    return inline_endpoints(obj, services_from_service_entry(obj)[0], facts=FACTS)


def test_workload_entry_as_an_endpoint() -> None:
    """Its own labels come before the object's; a service account means mutual TLS."""
    obj = istio(
        Kind.WORKLOAD_ENTRY,
        """
        address: 10.0.0.1
        ports: {http: 8080}
        labels: {app: vm, version: v2}
        locality: eu/a/r1
        network: n2
        weight: 3
        serviceAccount: vm-sa
        """,
        labels={"app": "other", "team": "x"},
    )
    assert workload_entry_labels(obj) == {"app": "vm", "version": "v2", "team": "x"}
    (endpoint,) = endpoints_from_workload_entry(obj, [(HTTP, 9090)], facts=FACTS, resolution=EDS)
    assert (endpoint.address, endpoint.port, endpoint.weight) == ("10.0.0.1", 8080, 3)
    assert (endpoint.tls_mode, endpoint.service_account) == ("istio", "spiffe://cluster.local/ns/shop/sa/vm-sa")
    assert (endpoint.locality, endpoint.network, endpoint.workload) == ("eu/a/r1", "n2", "x")
    assert endpoint.labels["topology.kubernetes.io/region"] == "eu"
    assert endpoint.labels["team"] == "x"


def test_tls_mode_label_wins() -> None:
    """Without account and label an entry speaks plaintext."""
    plain = istio(Kind.WORKLOAD_ENTRY, "{address: 10.0.0.1}")
    stated = istio(
        Kind.WORKLOAD_ENTRY, "{address: 10.0.0.1, serviceAccount: a, labels: {security.istio.io/tlsMode: disabled}}"
    )
    for obj in (plain, stated):
        (endpoint,) = endpoints_from_workload_entry(obj, [(HTTP, None)], facts=FACTS, resolution=EDS)
        assert endpoint.tls_mode == "disabled"


def test_named_target_that_is_not_there_is_no_endpoint() -> None:
    """The port would be a guess."""
    obj = istio(Kind.WORKLOAD_ENTRY, "{address: 10.0.0.1}")
    assert list(endpoints_from_workload_entry(obj, [(HTTP, "api")], facts=FACTS, resolution=EDS)) == []


def test_inline_endpoints_are_there_for_every_port() -> None:
    """Port overrides by name; a weight of zero counts as one."""
    endpoints = inline("""
        hosts: [a.example]
        resolution: STATIC
        ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}, {number: 9, name: tcp, protocol: TCP}]
        endpoints: [{address: 10.0.0.1}, {address: 10.0.0.2, ports: {http: 81}}]
    """)
    assert [(e.service_port, e.address, e.port, e.weight) for e in endpoints] == [
        ("http", "10.0.0.1", 8080, 1),
        ("http", "10.0.0.2", 81, 1),
        ("tcp", "10.0.0.1", 9, 1),
        ("tcp", "10.0.0.2", 9, 1),
    ]


def test_dns_service_without_endpoints_is_its_own() -> None:
    """Envoy resolves the host name; a STATIC or selecting service has nothing of the kind."""
    ports = "ports: [{number: 443, name: tls, protocol: TLS}]"
    (endpoint,) = inline(f"{{hosts: [a.example], resolution: DNS, {ports}}}")
    assert (endpoint.address, endpoint.port) == ("a.example", 443)
    assert inline(f"{{hosts: [a.example], resolution: STATIC, {ports}}}") == ()
    selecting = "workloadSelector: {labels: {a: b}}"
    assert inline(f"{{hosts: [a.example], resolution: DNS, {selecting}, {ports}}}") == ()


def test_unix_sockets() -> None:
    """A path with port 0."""
    (endpoint,) = inline("""
        hosts: [a.example]
        resolution: STATIC
        ports: [{number: 80, name: http, protocol: HTTP}]
        endpoints: [{address: "unix:///run/app.sock"}]
    """)
    assert (endpoint.address, endpoint.port) == ("/run/app.sock", 0)


@pytest.mark.parametrize(
    ("checked", "status", "healthy"),
    [
        (None, None, True),
        (None, "False", True),  # a condition that nobody asked for says nothing
        ("false", "False", True),
        ("true", None, False),  # nobody has said yet that it is well
        ("true", "Unknown", False),
        ("true", "False", False),
        ("true", "True", True),
        ("True", "True", True),
    ],
)
def test_an_entry_that_is_checked_takes_part_only_while_it_is_well(
    checked: str | None, status: str | None, *, healthy: bool
) -> None:
    """It has no endpoint at all, but stays who it is."""
    annotations = {} if checked is None else {"proxy.istio.io/health-checks-enabled": checked}
    conditions = [] if status is None else [{"type": "Healthy", "status": status}]
    (obj,) = decode(
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "WorkloadEntry",
            "metadata": {"name": "vm", "namespace": "shop", "annotations": annotations},
            "spec": {"address": "10.0.0.1", "serviceAccount": "vm"},
            "status": {"conditions": conditions},
        }
    ).objects
    assert is_healthy(obj) is healthy
    assert bool(list(endpoints_from_workload_entry(obj, [(HTTP, 80)], facts=FACTS, resolution=EDS))) is healthy
    assert workload_entry_account(obj, FACTS) == "spiffe://cluster.local/ns/shop/sa/vm"


@pytest.mark.parametrize(
    ("address", "resolution", "counts"),
    [
        ("address: 10.0.0.1", Resolution.CLIENT_SIDE_LB, True),
        ("address: 'fd00::1'", Resolution.CLIENT_SIDE_LB, True),
        ("address: unix:///run/vm", Resolution.CLIENT_SIDE_LB, True),
        ("address: vm.example.com", Resolution.CLIENT_SIDE_LB, False),
        ("address: vm.example.com", Resolution.PASSTHROUGH, False),
        ("address: vm.example.com", Resolution.DNS_LB, True),
        ("network: elsewhere", Resolution.CLIENT_SIDE_LB, False),
        ("network: elsewhere", Resolution.DNS_LB, False),
    ],
)
def test_only_what_envoy_can_reach_is_an_endpoint(address: str, resolution: Resolution, *, counts: bool) -> None:
    """For one name among addresses, or an empty one, Envoy would refuse all endpoints of the service."""
    obj = istio(Kind.WORKLOAD_ENTRY, address)
    found = list(endpoints_from_workload_entry(obj, [(HTTP, None)], facts=FACTS, resolution=resolution))
    assert bool(found) is counts


def test_an_inline_endpoint_without_an_address_is_left_out() -> None:
    """It is on another network, whose gateway is not known; its neighbours stay."""
    spec = """
        hosts: [a.example]
        resolution: STATIC
        ports: [{number: 80, name: http, protocol: HTTP}]
        endpoints: [{network: elsewhere}, {address: 10.0.0.1}]
    """
    assert [endpoint.address for endpoint in inline(spec)] == ["10.0.0.1"]
