"""Listeners as goldens: one rule a case. Each is valid, and a real Envoy takes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from discovery.translate.listeners.outbound import outbound_selection
from discovery.translate.listeners.render import listener
from discovery.wire.type_urls import LISTENER
from tests.kit.envoy_types import unpack
from tests.kit.envoy_validate import inline_routes, validate
from tests.kit.goldens import GoldenCase, canonical, golden_cases, orphans
from tests.kit.validity import problems
from tests.kit.world import World

CASES = Path(__file__).parent / "cases"


def _world(case: GoldenCase) -> tuple[World, list[str]]:
    """The world of a case, and the listeners that its rule is about."""
    documents = list(yaml.load_all(case.text(), yaml.CSafeLoader))
    names = [name for document in documents if document["kind"] == "Only" for name in document["names"]]
    world = World()
    world.load(document for document in documents if document["kind"] != "Only")
    return world, names


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_listeners(case: GoldenCase, update_goldens: bool) -> None:
    """What is configured gives these listeners, and nothing rendered breaks a rule."""
    world, names = _world(case)
    listeners = world.listeners()
    assert problems(listeners.values()) == []
    case.check("listeners", canonical(listeners[name] for name in names), update=update_goldens)


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_routes_asked_for_are_served(case: GoldenCase) -> None:
    """No listener waits for a route configuration that nobody has."""
    world, _ = _world(case)
    asked = {
        unpack(item.typed_config).rds.route_config_name
        for listener in world.listeners().values()
        for chain in (*listener.filter_chains, listener.default_filter_chain)
        for item in chain.filters
        if item.name == "envoy.filters.network.http_connection_manager"
    }
    assert asked - {""} <= world.routes().keys()


def test_no_orphans() -> None:
    """Every golden belongs to an input."""
    assert orphans(CASES, kinds=("listeners",)) == []


@pytest.mark.envoy
def test_envoy_takes_all(tmp_path: Path) -> None:
    """A real Envoy loads every listener of every case with its routes, but for what only Istio's build of it knows."""
    taken: dict[str, Any] = {}
    for parameter in golden_cases(CASES):
        case = parameter.values[0]
        assert isinstance(case, GoldenCase)
        if case.name == "istio-extensions":
            continue
        world = _world(case)[0]
        routes = world.routes()
        for name, rendered in world.listeners().items():
            listener = inline_routes(rendered, routes)
            listener.name = f"{case.name}: {name}"
            taken[listener.SerializeToString(deterministic=True).hex()] = listener
    # Listeners of different cases claim the same addresses; validation does not bind, but it does compare.
    for number, listener in enumerate(taken.values()):
        if listener.address.HasField("socket_address"):
            listener.address.socket_address.port_value = 20000 + number
            for more in listener.additional_addresses:
                more.address.socket_address.port_value = 20000 + number
    validate(tmp_path, taken.values())


def test_another_host_on_a_port_changes_no_bytes() -> None:
    """Adding an HTTP service to a port that is there re-renders no listener."""
    world, _ = _world(GoldenCase("http-hosts-share-a-port", CASES))
    before = world.rendered(LISTENER)
    runs = world.db.runs_by_query["listener"]
    world.load(yaml.safe_load_all(_service("c", 80)))
    assert world.rendered(LISTENER) == before
    assert world.db.runs_by_query["listener"] == runs


def test_another_endpoint_changes_no_listener() -> None:
    """Endpoints come and go without selecting listeners anew."""
    world = World(_service("c", 80, endpoint="10.1.1.1"))
    before = world.rendered(LISTENER)
    runs = world.db.runs_by_query["outbound_selection"]
    world.load(yaml.safe_load_all(_service("c", 80, endpoint="10.1.1.2")))
    assert world.rendered(LISTENER) == before
    assert world.db.runs_by_query["outbound_selection"] == runs


def _service(name: str, port: int, endpoint: str = "10.1.1.1") -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.example]
  resolution: STATIC
  ports: [{{number: {port}, name: http, protocol: HTTP}}]
  endpoints: [{{address: {endpoint}}}]
"""


ACCESS_LOGS = """
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: logs, namespace: %s}
spec: {accessLogging: [{providers: [{name: envoy}]}]}
"""


def test_telemetry_of_another_namespace_renders_nothing() -> None:
    """A Telemetry object is read by the workloads that it is about; selection is not touched even by their own."""
    case = GoldenCase("http-hosts-share-a-port", CASES)
    world, _ = _world(case)
    before = world.rendered(LISTENER)
    runs = dict(world.db.runs_by_query)
    world.load([yaml.safe_load(ACCESS_LOGS % "elsewhere")])
    assert world.rendered(LISTENER) == before
    assert dict(world.db.runs_by_query) == runs
    world.load([yaml.safe_load(ACCESS_LOGS % world.proxy.namespace)])
    after = world.rendered(LISTENER)
    assert all(after[name] != before[name] for name in before)
    again = world.db.runs_by_query
    assert again[outbound_selection.name] == runs[outbound_selection.name]
    assert again[listener.name] == 2 * runs[listener.name]
