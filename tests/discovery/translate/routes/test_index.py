"""Route tables as goldens: one rule a case. Each is valid, and a real Envoy takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from msgspec.structs import replace

from discovery.translate.routes import VirtualHostsOf, route_index, virtual_host_index
from discovery.wire.envoy import Filter, FilterChain, HttpConnectionManager, Listener, VirtualHost, pack
from discovery.wire.node import NodeType
from discovery.wire.type_urls import ROUTE, VIRTUAL_HOST
from tests.kit.envoy_validate import validate
from tests.kit.goldens import GoldenCase, canonical, golden_cases, orphans
from tests.kit.validity import problems
from tests.kit.world import DEFAULT_PROXY, World

CASES = Path(__file__).parent / "cases"


def _world(case: GoldenCase, *, vhds: bool = False) -> tuple[World, list[str]]:
    """The world of a case, and the route configurations that its rule is about."""
    documents = list(yaml.load_all(case.text(), yaml.CSafeLoader))
    names = [name for document in documents if document["kind"] == "Only" for name in document["names"]]
    world = World(proxy=replace(DEFAULT_PROXY, vhds=vhds))
    world.load(document for document in documents if document["kind"] != "Only")
    return world, names


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_routes(case: GoldenCase, update_goldens: bool) -> None:
    """What is configured gives these route tables, and nothing rendered breaks a rule."""
    world, names = _world(case)
    routes = world.routes()
    assert problems(routes=routes.values()) == []
    case.check("routes", canonical(routes[name] for name in names), update=update_goldens)


def test_no_orphans() -> None:
    """Every golden belongs to an input."""
    assert orphans(CASES, kinds=("routes",)) == []


def _listener(number: int, routes: Any) -> Listener:
    names = ("envoy.filters.http.fault", "envoy.filters.http.cors", "envoy.filters.http.router")
    types = ("fault.v3.HTTPFault", "cors.v3.Cors", "router.v3.Router")
    filters = [
        {"name": name, "typed_config": {"type_url": f"type.googleapis.com/envoy.extensions.filters.http.{kind}"}}
        for name, kind in zip(names, types, strict=True)
    ]
    manager = HttpConnectionManager(stat_prefix="x", route_config=routes, http_filters=filters)
    chain = FilterChain(filters=[Filter(name="hcm", typed_config=pack(manager))])
    address = {"socket_address": {"address": "127.0.0.1", "port_value": 20000 + number}}
    return Listener(name=f"l{number}", address=address, filter_chains=[chain])


@pytest.mark.envoy
def test_envoy_takes_all(tmp_path: Path) -> None:
    """A real Envoy loads every route configuration of every case."""
    taken = [
        routes
        for parameter in golden_cases(CASES)
        if isinstance(case := parameter.values[0], GoldenCase)
        for routes in _world(case)[0].routes().values()
    ]
    assert len(taken) > len(golden_cases(CASES))
    validate(tmp_path, [_listener(number, routes) for number, routes in enumerate(taken)])


# -- virtual hosts on their own ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_virtual_hosts_on_their_own_are_those_of_the_whole(case: GoldenCase) -> None:
    """A client with VHDS gets the same virtual hosts, under longer names, or the whole where it covers one service."""
    whole, _ = _world(case)
    parts, _ = _world(case, vhds=True)
    for name, routes in parts.routes().items():
        hosts = parts.resources(VIRTUAL_HOST, routes=[name])
        expected = {f"{name}/{host.name}": host for host in whole.routes()[name].virtual_hosts}
        if not routes.HasField("vhds"):
            assert hosts == {}
            assert routes == whole.routes()[name]
            continue
        assert not routes.virtual_hosts
        assert routes.vhds.config_source.HasField("ads")
        assert hosts.keys() == expected.keys()
        for key, host in hosts.items():
            assert host.name == key
            shortened = VirtualHost.FromString(host.SerializeToString())
            shortened.name = expected[key].name
            assert shortened == expected[key]


def test_a_route_configuration_with_vhds_is_never_empty() -> None:
    """The virtual host for unknown hosts is always there, so that a new listener does not wait in vain."""
    world = World(proxy=replace(DEFAULT_PROXY, vhds=True))
    assert list(world.resources(VIRTUAL_HOST, routes=["http_proxy"])) == ["http_proxy/allow_any"]


def test_routers_have_no_sidecar_routes() -> None:
    """Gateways are served other route tables."""
    world = World(SERVICE.format(name="a", port=80), proxy=replace(DEFAULT_PROXY, type=NodeType.ROUTER, vhds=True))
    assert world.routes() == {}
    assert virtual_host_index(world.db, VirtualHostsOf(world.view.outbound, "80")) == {}


def test_names_that_nobody_has_get_an_empty_answer() -> None:
    """Envoy stops waiting, and answers 404."""
    world = World()
    assert world.resources(VIRTUAL_HOST, routes=["nonsense"]) == {}
    empty = world.generators.fallback(world.db, ROUTE, world.view, "nonsense")
    assert empty is not None
    assert (empty.name, empty.type_url) == ("nonsense", ROUTE)


# -- counts ----------------------------------------------------------------------------------------------------------

SERVICE = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.example]
  resolution: STATIC
  ports: [{{number: {port}, name: http, protocol: HTTP}}]
"""
ROUTES = """
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.example]
  http: [{{timeout: {timeout}s, route: [{{destination: {{host: {name}.example}}}}]}}]
"""


def _mesh(*, vhds: bool) -> World:
    services = [SERVICE.format(name=f"s{n}", port=80) for n in range(20)]
    virtual_services = [ROUTES.format(name=f"s{n}", timeout=1) for n in range(0, 20, 2)]
    return World("---".join(services + virtual_services), proxy=replace(DEFAULT_PROXY, vhds=vhds))


def test_an_edited_route_renders_one_virtual_host() -> None:
    """With VHDS nothing else is rendered or selected anew, and one resource differs."""
    world = _mesh(vhds=True)
    before = world.rendered(VIRTUAL_HOST, routes=["80"])
    routes = world.rendered(ROUTE)
    world.db.runs_by_query.clear()
    world.load(yaml.safe_load_all(ROUTES.format(name="s4", timeout=2)))
    after = world.rendered(VIRTUAL_HOST, routes=["80"])
    assert [name for name in before if before[name] != after[name]] == ["80/s4.example:80"]
    assert world.rendered(ROUTE) == routes
    assert world.db.runs_by_query["routed_virtual_host"] == 1
    assert world.db.runs_by_query["virtual_host_resource"] == 1
    assert not {"_selected", "route_hosts", "_arranged", "virtual_host_index", "route_index"} & set(
        world.db.runs_by_query
    )


def test_an_edited_route_renders_one_virtual_host_of_the_whole() -> None:
    """Without VHDS the route configuration is spliced anew, around one virtual host with new routes."""
    world = _mesh(vhds=False)
    world.rendered(ROUTE)
    world.db.runs_by_query.clear()
    world.load(yaml.safe_load_all(ROUTES.format(name="s4", timeout=2)))
    world.rendered(ROUTE)
    assert world.db.runs_by_query["routed_virtual_host"] == 2  # for port 80, and for the forward proxy
    assert "_selected" not in world.db.runs_by_query


def test_a_new_service_renders_one_virtual_host() -> None:
    """Selection runs again, rendering only for what is new."""
    world = _mesh(vhds=True)
    before = world.rendered(VIRTUAL_HOST, routes=["80"])
    world.db.runs_by_query.clear()
    world.load(yaml.safe_load_all(SERVICE.format(name="new", port=80)))
    after = world.rendered(VIRTUAL_HOST, routes=["80"])
    assert [name for name in after if before.get(name) != after[name]] == ["80/new.example:80"]
    assert world.db.runs_by_query["routed_virtual_host"] == 0
    rendered = world.db.runs_by_query["virtual_host_resource"]
    assert rendered == 1 + 10  # the new one; virtual services look up their destinations again


def test_scopes_share_what_means_the_same_to_them() -> None:
    """Another namespace selects for itself, and renders no routes anew."""
    world = _mesh(vhds=True)
    mine = world.rendered(VIRTUAL_HOST, routes=["80"])
    world.db.runs_by_query.clear()
    world.proxy = replace(world.proxy, namespace="shop", dns_domain="shop.svc.cluster.local")
    assert world.rendered(VIRTUAL_HOST, routes=["80"]) == mine
    assert world.db.runs_by_query["routed_virtual_host"] == 0
    assert world.db.runs_by_query["_arranged"] == 0


def test_views_that_differ_elsewhere_share_tables() -> None:
    """Locality and network do not enter routes."""
    world = _mesh(vhds=True)
    here = world.view.outbound
    index = route_index(world.db, here)
    world.db.runs_by_query.clear()
    assert route_index(world.db, replace(here, locality="r/z", network="n")) is index
    assert dict(world.db.runs_by_query) == {"route_index": 1}
