"""From a proxy's words and the registry's knowledge to what its configuration depends on."""

from __future__ import annotations

import msgspec

from discovery.mesh.proxies import proxy_view, route_label_keys, sidecar_for
from discovery.mesh.proxy import ProxyKey, ScopeKey
from discovery.wire.node import NodeType
from tests.kit.world import World

PROXY = ProxyKey(type=NodeType.SIDECAR, ips=("10.1.0.1",), namespace="shop", labels=(("app", "reviews"),))

SLICED = """
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: reviews-1, namespace: shop, labels: {kubernetes.io/service-name: reviews}}
addressType: IPv4
ports: [{name: http, port: 8080}]
endpoints: [{addresses: [10.1.0.1]}]
"""


def sidecar(name: str, namespace: str, selector: str = "") -> str:
    chosen = f"workloadSelector: {{labels: {selector}}}, " if selector else ""
    return f"""---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: {name}, namespace: {namespace}}}
spec: {{{chosen}egress: [{{hosts: ['*/*']}}]}}
"""


def targets(world: World) -> list[tuple[str, int, int]]:
    view = proxy_view(world.db, PROXY)
    return [(t.service.host.split(".")[0], t.port.number, t.target_port) for t in view.inbound.targets]


def test_targets_come_from_slices() -> None:
    """The services that name the proxy's address."""
    assert targets(World(SLICED)) == [("reviews", 80, 8080)]


def test_the_sidecar_of_the_namespace_is_chosen() -> None:
    """One that selects the workload, else the namespace's, else the root namespace's."""
    mine, ns, root = sidecar("mine", "shop", "{app: reviews}"), sidecar("ns", "shop"), sidecar("root", "istio-system")
    for text, expected in ((root + ns + mine, "mine"), (root + ns, "ns"), (root, "root")):
        found = sidecar_for(World(text.removeprefix("---")).db, "shop", PROXY.labels)
        assert found is not None
        assert found.name == expected
    assert sidecar_for(World().db, "shop", PROXY.labels) is None


def test_registry_labels_win_over_announced_ones() -> None:
    """A pod relabelled after its proxy started is what the registry says."""
    pod = """
apiVersion: v1
kind: Pod
metadata: {name: p, namespace: shop, labels: {app: renamed, topology.kubernetes.io/region: r1}}
spec: {containers: []}
status: {podIP: 10.1.0.1}
"""
    world = World(pod + sidecar("renamed", "shop", "{app: renamed}"))
    view = proxy_view(world.db, PROXY)
    assert view.outbound.scope.sidecar is not None
    assert view.outbound.locality == "r1"


def test_equal_proxies_have_equal_views() -> None:
    """Address and labels enter only where something depends on them."""
    world = World(SLICED)
    other = msgspec.structs.replace(PROXY, ips=("10.7.7.7",), labels=(("app", "web"),))
    assert proxy_view(world.db, PROXY).outbound == proxy_view(world.db, other).outbound
    assert proxy_view(world.db, PROXY).inbound != proxy_view(world.db, other).inbound


def test_labels_that_routes_ask_for_are_part_of_the_view() -> None:
    """Only those keys, so that other labels do not tell proxies apart."""
    world = World(
        """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v, namespace: shop}
spec:
  hosts: [reviews]
  http: [{match: [{sourceLabels: {app: reviews}}], route: [{destination: {host: reviews}}]}]
"""
    )
    assert route_label_keys(world.db, ScopeKey("shop", None)) == {"app"}
    assert proxy_view(world.db, PROXY).outbound.route_labels == (("app", "reviews"),)


def test_an_endpoint_change_elsewhere_runs_no_view() -> None:
    """A view depends on its own address only."""
    world = World(SLICED)
    proxy_view(world.db, PROXY)
    runs = world.db.runs_by_query["proxy_view"]
    world.load(
        [
            {
                "apiVersion": "discovery.k8s.io/v1",
                "kind": "EndpointSlice",
                "metadata": {"name": "x", "namespace": "shop", "labels": {"kubernetes.io/service-name": "other"}},
                "addressType": "IPv4",
                "ports": [{"name": "http", "port": 1}],
                "endpoints": [{"addresses": ["10.1.0.99"]}],
            }
        ]
    )
    proxy_view(world.db, PROXY)
    assert world.db.runs_by_query["proxy_view"] == runs


def test_labels_enter_only_where_telemetry_selects_by_them() -> None:
    """Proxies that differ in other labels share every listener."""
    world = World("""
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: shop}
spec: {selector: {matchLabels: {app: reviews}}, accessLogging: [{disabled: true}]}
""")
    view = proxy_view(world.db, msgspec.structs.replace(PROXY, labels=(("app", "reviews"), ("version", "v1"))))
    assert view.outbound.telemetry_labels == view.inbound.telemetry_labels == (("app", "reviews"),)
    elsewhere = proxy_view(world.db, msgspec.structs.replace(PROXY, namespace="elsewhere"))
    assert elsewhere.outbound.telemetry_labels == ()
