from __future__ import annotations

from discovery.registry.service import ProtocolClass
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.listeners.inbound_ports import InboundPorts, inbound_policy, inbound_ports
from tests.kit.world import World


def _entry(name: str, port: int, protocol: str, target: int = 0) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: {name}, namespace: default}}
spec:
  hosts: [{name}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{{number: {port}, targetPort: {target or port}, name: p, protocol: {protocol}}}]
  endpoints: [{{address: 10.9.9.9}}]
---
"""


def _sidecar(ingress: str) -> str:
    return f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default, namespace: default}}
spec: {{ingress: [{ingress}]}}
---
"""


def _policy(spec: str) -> str:
    return f"""
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: default}}
spec: {spec}
---
"""


def _ports(text: str) -> InboundPorts:
    world = World(text)
    return inbound_ports(world.db, world.view.inbound)


def test_service_ports_go_by_target_port() -> None:
    """Chains are for the port that the application listens on; routes name the service's."""
    (port,) = _ports(_entry("a", 80, "HTTP", target=8080)).ports
    assert (port.number, port.service_port, port.host, port.bound) == (8080, 80, "a.example", False)


def test_oldest_service_decides_the_protocol() -> None:
    """Of two services on one target port the older has it, and the other is reported if its protocol differs."""
    found = _ports(_entry("a", 80, "TCP") + _entry("b", 80, "HTTP"))
    assert [port.host for port in found.ports] == ["a.example"]
    assert [conflict.dropped.service.host for conflict in found.conflicts] == ["b.example"]
    assert _ports(_entry("a", 80, "TCP") + _entry("b", 80, "TCP")).conflicts == ()


def test_udp_is_left_out() -> None:
    """UDP ports are none of ours."""
    assert _ports(_entry("a", 53, "UDP")).ports == ()


def test_sidecar_spells_ports_out() -> None:
    """With ingress listeners, services do not add any; without a bind they are named after the workload's address."""
    found = _ports(_entry("a", 80, "HTTP") + _sidecar("{port: {number: 9000, protocol: TCP, name: t}}"))
    assert [(port.number, port.bind, port.bound) for port in found.ports] == [(9000, "10.9.9.9", False)]


def test_nothing_captured_nothing_inferred() -> None:
    """In mode NONE only what a Sidecar spells out listens, and binds."""
    mode = "{kind: Proxy, interception: NONE}\n---\n"
    assert _ports(mode + _entry("a", 80, "HTTP")).ports == ()
    (port,) = _ports(mode + _sidecar("{bind: 127.0.0.2, port: {number: 9000, protocol: TCP, name: t}}")).ports
    assert (port.bind, port.bound) == ("127.0.0.2", True)


def test_mode_by_port() -> None:
    """The policy's mode for a container port is the port's."""
    selected = "{kind: Proxy, labels: {app: a}}\n---\n"
    policy = _policy("{selector: {matchLabels: {app: a}}, mtls: {mode: STRICT}, portLevelMtls: {80: {mode: DISABLE}}}")
    world = World(selected + _entry("a", 80, "HTTP") + policy)
    assert inbound_policy(world.db, world.view.inbound).mode is MutualTLSMode.STRICT
    assert inbound_ports(world.db, world.view.inbound).ports[0].mode is MutualTLSMode.DISABLE


def test_own_tls_only_where_the_mesh_has_none() -> None:
    """TLS of a Sidecar port counts where mutual TLS is off; what is inside is spoken after it."""
    ingress = _sidecar("{port: {number: 443, protocol: HTTPS, name: t}, tls: {mode: SIMPLE, serverCertificate: c}}")
    (port,) = _ports(ingress + _policy("{mtls: {mode: DISABLE}}")).ports
    assert port.tls is not None
    assert port.family is ProtocolClass.HTTP
    (port,) = _ports(ingress + _policy("{mtls: {mode: STRICT}}")).ports
    assert port.tls is None
    assert port.family is ProtocolClass.TCP
