from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
from hypothesis import given, settings

from discovery.mesh.proxy import OutboundView
from discovery.translate.listeners.outbound import outbound_selection
from tests.kit.validity import problems
from tests.kit.world import World

PROTOCOLS = ("HTTP", "HTTP2", "GRPC-Web", "TCP", "TLS", "HTTPS", "Mongo", "MySQL", "UDP", "")


def _entry(number: int, port: int, protocol: str, address: str) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "hosts": [f"s{number}.example"],
        "resolution": "STATIC",
        "ports": [{"number": port, "name": "p", "protocol": protocol}],
    }
    if address:
        spec["addresses"] = [address]
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "ServiceEntry",
        "metadata": {"name": f"s{number}", "namespace": "default"},
        "spec": spec,
    }


claims = st.lists(
    st.tuples(
        st.sampled_from((80, 9000)),
        st.sampled_from(PROTOCOLS),
        st.sampled_from(("", "", "240.0.0.1", "240.0.0.2", "10.8.0.0/16", "10.8.0.0/24")),
    ),
    max_size=7,
)


@settings(max_examples=60)
@given(claims)
def test_whatever_shares_a_port_is_valid(wanted: list[tuple[int, str, str]]) -> None:
    """However services contend for ports and addresses, what is rendered breaks no rule."""
    world = World()
    world.load(_entry(number, *claim) for number, claim in enumerate(wanted))
    assert problems(world.listeners().values()) == []


@settings(max_examples=30)
@given(claims)
def test_order_of_arrival_does_not_matter(wanted: list[tuple[int, str, str]]) -> None:
    """Conflicts are settled by age and name, not by who was read first."""
    entries = [_entry(number, *claim) for number, claim in enumerate(wanted)]
    one, other = World(), World()
    one.load(entries)
    other.load(reversed(entries))
    assert outbound_selection(one.db, one.view.outbound) == outbound_selection(other.db, other.view.outbound)


def _names(text: str, **proxy: Any) -> set[str]:
    world = World(text)
    world.load([{"kind": "Proxy", **proxy}])
    return {spec.name for spec in outbound_selection(world.db, world.view.outbound).listeners}


def _view(text: str) -> tuple[World, OutboundView]:
    world = World(text)
    return world, world.view.outbound


def test_conflicts_are_told() -> None:
    """A service port that got no place is named, with the place and the reason."""
    world = World()
    world.load([_entry(1, 9000, "TCP", ""), _entry(2, 9000, "TCP", "")])
    (conflict,) = outbound_selection(world.db, world.view.outbound).conflicts
    assert (conflict.bind, conflict.port, conflict.service.host) == ("0.0.0.0", 9000, "s2.example")
    assert conflict.reason


def test_auto_allocated_addresses_only_for_proxies_that_capture_dns() -> None:
    """An allocated address means something only where the proxy answers DNS with it."""
    text = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: a, namespace: default}
spec:
  hosts: [a.example]
  resolution: STATIC
  ports: [{number: 9000, name: p, protocol: TCP}]
status: {addresses: [{host: a.example, value: 240.240.0.7}]}
"""
    assert "0.0.0.0_9000" in _names(text)


def test_unprivileged_proxies_do_not_bind_low_ports() -> None:
    """A listener that binds below 1024 is left out for a proxy without the privilege; captured ones bind nothing."""
    world = World()
    world.load([_entry(1, 80, "TCP", "240.0.0.1")])
    world.load([{"kind": "Proxy", "unprivileged": True, "interception": "NONE"}])
    assert outbound_selection(world.db, world.view.outbound).listeners == ()
    world.load([{"kind": "Proxy", "interception": "REDIRECT"}])
    names = [spec.name for spec in outbound_selection(world.db, world.view.outbound).listeners]
    assert names == ["240.0.0.1_80", "virtualOutbound"]


def test_routers_and_meshes_without_capture_have_none() -> None:
    """Outbound listeners are for sidecars, unless the mesh turns them off."""
    assert _names("{}", type="router") == set()
    assert _names("{kind: MeshConfig, proxyListenPort: 0}") == set()


def test_aliases_have_no_listener() -> None:
    """A service that stands for another is reached by the other's listeners."""
    world, view = _view(
        """
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: default}
spec: {type: ExternalName, externalName: b.example, ports: [{name: tcp, port: 9000}]}
"""
    )
    assert [spec.name for spec in outbound_selection(world.db, view).listeners] == ["virtualOutbound"]
