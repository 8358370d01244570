from __future__ import annotations

from typing import Any

import pytest

from discovery.translate.listeners.capture import (
    CapturePorts,
    capture_ports,
    catch_all,
    forward_proxy,
    virtual_outbound,
)
from discovery.wire.node import InterceptionMode
from tests.kit.world import World


def _world(proxy: str = "", mesh: str = "") -> World:
    return World(f"{{kind: Proxy{proxy}}}\n---\n{{kind: MeshConfig{mesh}}}")


def test_ports_of_the_mesh() -> None:
    """The ports are Istio's unless the mesh says otherwise."""
    assert capture_ports(_world().db, None) == CapturePorts(15001, 15006, 0)
    assert capture_ports(_world(mesh=", proxyHttpPort: 3128").db, None).forward_proxy == 3128


@pytest.mark.parametrize(
    ("mode", "cluster"), [("ALLOW_ANY", "PassthroughCluster"), ("REGISTRY_ONLY", "BlackHoleCluster")]
)
def test_unknown_destinations(mode: str, cluster: str) -> None:
    """Unknown destinations are let through or dropped, as the policy says."""
    world = _world(mesh=f", outboundTrafficPolicy: {{mode: {mode}}}")
    assert catch_all(world.db, world.view.outbound).clusters[0].cluster == cluster


@pytest.mark.parametrize("interception", InterceptionMode)
def test_capture_by_interception(interception: InterceptionMode) -> None:
    """Nothing is captured in mode NONE; TPROXY needs a transparent socket."""
    world = _world(proxy=f", interception: {interception}")
    spec: Any = virtual_outbound(world.db, world.view.outbound)
    assert (spec is None) is (interception is InterceptionMode.NONE)
    if spec is not None:
        assert spec.shape.transparent is (interception is InterceptionMode.TPROXY)
        assert spec.shape.hands_off


def test_no_forward_proxy_by_default() -> None:
    """The HTTP proxy port is off unless the mesh asks for it, and then on loopback only."""
    world = _world()
    assert forward_proxy(world.db, world.view.outbound) is None
    world = _world(mesh=", proxyHttpPort: 3128")
    spec = forward_proxy(world.db, world.view.outbound)
    assert spec is not None
    assert spec.binds == ("127.0.0.1",)
