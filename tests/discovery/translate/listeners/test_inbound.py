from __future__ import annotations

from discovery.translate.filters.inspectors import Inspection
from discovery.translate.listeners.inbound import inbound_specs
from discovery.translate.listeners.spec import ListenerSpec
from tests.kit.world import World


def _specs(text: str = "") -> tuple[ListenerSpec, ...]:
    world = World(text)
    return inbound_specs(world.db, world.view.inbound)


def _policy(mode: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: default}}
spec: {{mtls: {{mode: {mode}}}}}
---
"""


def test_one_capture_listener() -> None:
    """A captured workload has one inbound listener, whose first chain stops connections to itself."""
    (spec,) = _specs()
    assert (spec.name, spec.port, spec.shape.original_dst) == ("virtualInbound", 15006, True)
    assert spec.chains[0].match.port == 15006


def test_routers_have_none() -> None:
    """Only sidecars have inbound listeners."""
    assert _specs("{kind: Proxy, type: router}") == ()


def test_capture_port_turned_off() -> None:
    """Without an inbound port nothing listens."""
    assert _specs("{kind: MeshConfig, proxyInboundListenPort: 0}") == ()


def test_inspection_leaves_ports_alone_that_do_not_need_it() -> None:
    """The capture port is never inspected; TLS is not looked for where none is terminated or told apart."""
    (permissive,) = _specs(_policy("PERMISSIVE"))
    assert permissive.shape.tls_inspection == Inspection((15006,))
    assert permissive.shape.http_inspection == Inspection((15006,))
    (strict,) = _specs(_policy("STRICT"))
    assert strict.shape.http_inspection is None
    (disabled,) = _specs(_policy("DISABLE"))
    assert disabled.shape.tls_inspection is None


def test_stock_envoy_does_not_offer_metadata_exchange() -> None:
    """A peer that is offered it sends bytes that only Istio's Envoy takes off the stream."""
    offered = [
        any(chain.tls is not None and "istio-peer-exchange" in chain.tls.alpn for chain in spec.chains)
        for spec in (
            *_specs(_policy("STRICT")),
            *_specs("{kind: Proxy, istio_filters: true}\n---\n" + _policy("STRICT")),
        )
    ]
    assert offered == [False, True]
