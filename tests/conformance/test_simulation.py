"""Configuration judged by what a request meets: Istio's own expectations, whatever the shape of our xDS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from discovery.mesh.proxy import ProxyKey
from discovery.schema.kinds import KINDS
from discovery.wire.node import InterceptionMode, NodeType
from tests.kit.conformance import Case, cases
from tests.kit.simulate import Call, Met, Simulator, downstream_tls
from tests.kit.validity import problems
from tests.kit.world import World

Tally = Callable[[str, int, int], None]


@pytest.mark.parametrize("case", cases("simulation"))
def test_simulation(case: Case, tally: Tally) -> None:
    """Every call meets what it meets with Istio, and everything rendered is valid."""
    calls = case.get("calls") or ()
    failures = ["the configuration was not rendered"] * len(calls)
    try:
        world = _world(case)
        listeners, routes, clusters = world.listeners(), world.routes(), world.clusters()
        simulator = Simulator(listeners.values(), routes)
        failures = [text for call in calls if (text := _failure(simulator, case, call))]
    finally:
        if calls:
            tally("simulation calls", len(calls) - len(failures), len(calls))
    assert not failures, "\n".join(failures)
    if case["kind"] == "virtual_hosts":
        _check_virtual_hosts(case, routes)
    if not case.get("output_may_be_invalid"):
        assert problems(listeners.values(), routes.values(), clusters.values()) == []


def _world(case: Case) -> World:
    proxy = case["proxy"]
    metadata = proxy.get("metadata", {})
    namespace = metadata.get("NAMESPACE") or proxy["config_namespace"]
    world = World(
        proxy=ProxyKey(
            type=NodeType(proxy["type"]),
            ips=tuple(proxy["ip_addresses"]),
            namespace=proxy["config_namespace"],
            dns_domain=f"{namespace}.svc.cluster.local",
            cluster_id=metadata.get("CLUSTER_ID", "Kubernetes"),
            labels=tuple(sorted(metadata.get("LABELS", {}).items())),
            interception=InterceptionMode(metadata.get("INTERCEPTION_MODE", "REDIRECT")),
        )
    )
    mesh = case.get("mesh_config")
    if isinstance(mesh, Mapping):
        world.set_mesh(mesh)
    world.load(case["objects"])
    idle = [key for key in world.store.objects if not KINDS[key.kind].translated]
    assert not idle, f"not translated yet, so nothing can be told from this case: {', '.join(map(str, idle))}"
    return world


def _failure(simulator: Simulator, case: Case, entry: Mapping[str, Any]) -> str:
    """The first difference, as a sentence; empty when all is as expected."""
    asked = {**case["defaults"]["call"], **entry["call"]}
    met = simulator.call(Call(**asked))
    expect = dict(entry.get("expect") or {})
    exactly = expect.pop("exactly_these_fields", False)
    tls = expect.pop("downstream_tls", None)
    expect.setdefault("error", "")
    for field, wanted in expect.items():
        actual = getattr(met, field)
        if actual != wanted:
            return f"{entry['name']}: {field} is {actual!r}, want {wanted!r} ({_told(met)})"
    if exactly:
        fields = ("listener", "filter_chain", "route_config", "virtual_host", "route", "cluster")
        more = [field for field in fields if field not in expect and getattr(met, field)]
        if more:
            return f"{entry['name']}: met also {more} ({_told(met)})"
    if tls is not None and downstream_tls(met.chain) != (tls["sds_certificate"], tls["require_client_certificate"]):
        return f"{entry['name']}: downstream TLS is {downstream_tls(met.chain)}, want {tls}"
    return ""


def _told(met: Met) -> str:
    return " > ".join(part for part in (met.listener, met.filter_chain, met.virtual_host, met.cluster) if part)


def _check_virtual_hosts(case: Case, routes: Mapping[str, Any]) -> None:
    expect = case["expect"]
    if expect is None:
        return
    configuration = routes[case["route_config"]]
    clusters = {
        domain: [route.route.cluster for route in host.routes]
        for host in configuration.virtual_hosts
        for domain in host.domains
    }
    actual = {domain: clusters.get(domain, []) for domain in expect}
    assert actual == expect
