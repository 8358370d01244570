from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from discovery.registry.endpoint import Endpoint, Health
from discovery.registry.endpoints_from_kubernetes import (
    MissingPod,
    endpoint_from_pod,
    endpoints_from_slice,
    slice_service,
    union,
    workload_name,
)
from discovery.registry.facts import MeshFacts
from discovery.registry.service import Port, Protocol
from discovery.schema.decode import decode
from discovery.schema.meta import Object, ObjectKey
from tests.kit.manifests import one, slice_document

FACTS = MeshFacts(cluster_id="c1", network="n1")
NODE = one("""
    apiVersion: v1
    kind: Node
    metadata:
      name: node-1
      labels: {topology.kubernetes.io/region: eu, topology.kubernetes.io/zone: a}
""")


def pod(name: str = "web-0", **labels: str) -> Object:
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "shop",
            "labels": {"app": "web", "pod-template-hash": "abc", "security.istio.io/tlsMode": "istio", **labels},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-abc", "controller": True}],
        },
        "spec": {
            "nodeName": "node-1",
            "serviceAccountName": "web-sa",
            "containers": [{"name": "c", "ports": [{"name": "api", "containerPort": 9090}]}],
        },
        "status": {"podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}]},
    }
    return decode(document).objects[0]


def lookup(*objects: Object) -> Callable[[ObjectKey], Object | None]:
    return {obj.key: obj for obj in objects}.get


def slice_with(conditions: dict[str, Any] | None = None, **fields: Any) -> Object:
    document = slice_document("web")
    document["endpoints"][0].update(fields)
    if conditions is not None:
        document["endpoints"][0]["conditions"] = conditions
    return decode(document).objects[0]


def test_endpoint_of_a_known_pod_has_all_of_its_workload() -> None:
    """Labels with topology, identity, TLS mode, locality, network and workload."""
    result = endpoints_from_slice(slice_with(), facts=FACTS, lookup=lookup(pod(), NODE))
    assert result.pending == ()
    (endpoint,) = result.endpoints
    assert (endpoint.address, endpoint.port, endpoint.service_port) == ("10.0.0.1", 8080, "http")
    assert (endpoint.locality, endpoint.network, endpoint.cluster_id) == ("eu/a", "n1", "c1")
    assert endpoint.service_account == "spiffe://cluster.local/ns/shop/sa/web-sa"
    assert (endpoint.tls_mode, endpoint.workload, endpoint.namespace) == ("istio", "web", "shop")
    assert endpoint.node_name == "node-1"
    assert endpoint.labels["app"] == "web"
    assert {key: value for key, value in endpoint.labels.items() if "topology" in key or "hostname" in key} == {
        "topology.kubernetes.io/region": "eu",
        "topology.kubernetes.io/zone": "a",
        "topology.istio.io/cluster": "c1",
        "topology.istio.io/network": "n1",
        "kubernetes.io/hostname": "node-1",
    }


def test_endpoint_of_an_unknown_pod_waits_for_it() -> None:
    """Its identity is not known yet; where nobody writes pods it is served as it is."""
    waiting = endpoints_from_slice(slice_with(), facts=FACTS, lookup=lookup())
    assert waiting.endpoints == ()
    assert [str(key) for key in waiting.pending] == ["Pod shop/web-0"]
    served = endpoints_from_slice(slice_with(), facts=FACTS, lookup=lookup(), missing=MissingPod.SERVE)
    assert [endpoint.address for endpoint in served.endpoints] == ["10.0.0.1"]


def test_endpoint_without_a_pod_is_placed_by_its_node() -> None:
    """Manual endpoints have no identity and no TLS mode."""
    (endpoint,) = endpoints_from_slice(slice_with(targetRef=None), facts=FACTS, lookup=lookup(NODE)).endpoints
    assert (endpoint.locality, endpoint.tls_mode, endpoint.service_account) == ("eu/a", "", "")


@pytest.mark.parametrize(
    ("conditions", "drains", "health"),
    [
        ({}, False, Health.HEALTHY),
        ({"ready": True, "terminating": True}, False, Health.HEALTHY),
        ({"ready": False}, False, Health.UNHEALTHY),
        ({"ready": False, "serving": True, "terminating": True}, True, Health.DRAINING),
        ({"ready": False, "serving": True, "terminating": True}, False, None),
        ({"ready": False, "serving": False, "terminating": True}, True, None),
    ],
)
def test_health(conditions: dict[str, Any], *, drains: bool, health: Health | None) -> None:
    """Unknown is ready; what is going away is sent only to drain."""
    result = endpoints_from_slice(slice_with(conditions), facts=FACTS, lookup=lookup(pod()), drains=drains)
    assert [endpoint.health for endpoint in result.endpoints] == ([] if health is None else [health])
    assert result.pending == ()


def test_slices_for_others_are_not_ours() -> None:
    """FQDN slices and those of multi-cluster services have no service here."""
    document = slice_document("web")
    assert slice_service(decode(document).objects[0]) == "web"
    assert slice_service(decode({**document, "addressType": "FQDN"}).objects[0]) is None
    document["metadata"]["labels"]["multicluster.kubernetes.io/service-name"] = "web"
    assert slice_service(decode(document).objects[0]) is None


def test_stateful_pods_have_names() -> None:
    """With a subdomain a pod is reached as ``<hostname or name>.<subdomain>``."""
    named = one("""
        apiVersion: v1
        kind: Pod
        metadata: {name: web-0, namespace: shop}
        spec: {subdomain: db}
    """)
    (endpoint,) = endpoints_from_slice(slice_with(), facts=FACTS, lookup=lookup(named)).endpoints
    assert (endpoint.hostname, endpoint.subdomain) == ("web-0", "db")


def test_union_keeps_the_first_of_equal_endpoints() -> None:
    """Slices may overlap for a moment."""
    first = Endpoint(address="a", port=1, service_port="http", weight=1)
    again = Endpoint(address="a", port=1, service_port="http", weight=2)
    other = Endpoint(address="a", port=2, service_port="grpc")
    assert union([(first,), (again, other)]) == (first, other)


def test_pod_selected_by_a_service_entry() -> None:
    """Named target ports are the container's; a pod that is not ready or lacks the port is none."""
    port = Port("http", 80, Protocol.HTTP)
    ready = pod()
    found = endpoint_from_pod(ready, port=port, target="api", facts=FACTS, lookup=lookup(NODE))
    assert found is not None
    assert (found.address, found.port, found.service_port) == ("10.0.0.1", 9090, "http")
    assert endpoint_from_pod(ready, port=port, target="nope", facts=FACTS, lookup=lookup()) is None
    unready = decode(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p"},
            "status": {"podIP": "10.0.0.9", "conditions": [{"type": "Ready", "status": "False"}]},
        }
    ).objects[0]
    assert endpoint_from_pod(unready, port=port, target=None, facts=FACTS, lookup=lookup()) is None


def test_a_pod_of_two_families_is_one_endpoint_where_that_is_wanted() -> None:
    """Then the slices of both families tell the same; else each address is an endpoint of its own."""
    document: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web-0", "namespace": "shop"},
        "spec": {"containers": [{"name": "c"}]},
        "status": {"podIP": "10.0.0.1", "podIPs": [{"ip": "10.0.0.1"}, {"ip": "fd00::1"}]},
    }
    both = decode(document).objects[0]
    target = {"kind": "Pod", "name": "web-0", "namespace": "shop"}
    slices = [slice_with(addresses=[address], targetRef=target) for address in ("10.0.0.1", "fd00::1")]

    def read(facts: MeshFacts) -> list[tuple[str, tuple[str, ...]]]:
        parts = [endpoints_from_slice(entry, facts=facts, lookup=lookup(both)).endpoints for entry in slices]
        return [(endpoint.address, endpoint.additional_addresses) for endpoint in union(parts)]

    assert read(FACTS) == [("10.0.0.1", ()), ("fd00::1", ())]
    dual = FACTS._replace(dual_stack=True)
    assert read(dual) == [("10.0.0.1", ("fd00::1",))]
    port = Port(name="http", number=80, protocol=Protocol.HTTP)
    selected = endpoint_from_pod(both, port=port, target=8080, facts=dual, lookup=lookup(both))
    assert selected is not None
    assert (selected.address, selected.additional_addresses) == ("10.0.0.1", ("fd00::1",))


def test_workload_names() -> None:
    """A ReplicaSet's is its Deployment's, other owners are themselves, a lone pod is its own."""
    assert workload_name(pod()) == "web"
    assert workload_name(pod(**{"pod-template-hash": ""})) == "web-abc"
    assert workload_name(one("{apiVersion: v1, kind: Pod, metadata: {name: alone}}")) == "alone"
