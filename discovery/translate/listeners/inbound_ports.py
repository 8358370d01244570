"""Which ports of the workload get inbound chains or listeners, and what is known of each.

They follow from the services that select the workload, unless a Sidecar spells them out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.mesh.peer_authentication import MtlsPolicy, WorkloadPolicyKey, mtls_policy
from discovery.mesh.proxy import InboundTarget, InboundView
from discovery.mesh.scope import ingress_listeners
from discovery.registry.protocol import parse_protocol
from discovery.registry.service import Protocol, ProtocolClass
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.schema.server_tls import ServerTLSMode, ServerTLSSettings
from discovery.schema.sidecar import CaptureMode, IstioIngressListener
from discovery.translate.listeners.binding import UNIX, wildcards
from discovery.translate.listeners.spec import TlsServer
from discovery.wire.node import InterceptionMode

__all__ = ["InboundConflict", "InboundPort", "InboundPorts", "inbound_policy", "inbound_ports"]

_TERMINATED = {Protocol.HTTPS: ProtocolClass.HTTP, Protocol.TLS: ProtocolClass.TCP}


class InboundPort(NamedTuple):
    """A port that the workload serves."""

    number: int  # that connections arrive for
    service_port: int
    host: str
    protocol: Protocol
    bind: str
    bound: bool  # has a listener of its own, nothing is captured
    mode: MutualTLSMode
    tls: TlsServer | None = None  # the user's own, where the mesh's is off

    @property
    def family(self) -> ProtocolClass:
        """What is spoken once TLS of the user's own is terminated."""
        if self.tls is not None:
            return _TERMINATED.get(self.protocol, self.protocol.family)
        return self.protocol.family


class InboundConflict(NamedTuple):
    """A service port that got no place because an older service has the port with another protocol."""

    port: int
    kept: InboundTarget
    dropped: InboundTarget


class InboundPorts(NamedTuple):
    """The ports sorted by number, and what had to be left out."""

    ports: tuple[InboundPort, ...]
    conflicts: tuple[InboundConflict, ...] = ()


def inbound_policy(db: Database, view: InboundView) -> MtlsPolicy:
    """Whether the workload demands mutual TLS, by port."""
    return mtls_policy(db, WorkloadPolicyKey(view.namespace, view.policy_labels))


@query
def inbound_ports(db: Database, view: InboundView) -> InboundPorts:
    """The inbound ports of a workload."""
    policy = inbound_policy(db, view)
    written = ingress_listeners(db, view.scope)
    if written:
        return InboundPorts(_by_number(_ingress_port(view, policy, listener) for listener in written))
    if view.interception is InterceptionMode.NONE:
        return InboundPorts(())
    return _service_ports(view, policy)


def _by_number(ports: Iterable[InboundPort | None]) -> tuple[InboundPort, ...]:
    first: dict[tuple[str, int], InboundPort] = {}
    for port in ports:
        if port is not None:
            # Captured connections are told apart by port alone, whatever address a chain is named after.
            first.setdefault((port.bind if port.bound else "", port.number), port)
    return tuple(sorted(first.values(), key=lambda port: (port.number, port.bind)))


def _service_ports(view: InboundView, policy: MtlsPolicy) -> InboundPorts:
    kept: dict[int, InboundTarget] = {}
    conflicts = []
    for target in view.targets:
        if target.port.protocol.family is ProtocolClass.UDP:
            continue
        older = kept.setdefault(target.target_port, target)
        if older.service != target.service and older.port.protocol is not target.port.protocol:
            conflicts.append(InboundConflict(target.target_port, older, target))
    bind = wildcards(ipv4=view.ipv4, ipv6=view.ipv6)[0]
    ports = (
        InboundPort(
            number=number,
            service_port=target.port.number,
            host=target.service.host,
            protocol=target.port.protocol,
            bind=bind,
            bound=False,
            mode=policy.for_port(number),
        )
        for number, target in kept.items()
    )
    return InboundPorts(_by_number(ports), tuple(conflicts))


def _ingress_port(view: InboundView, policy: MtlsPolicy, listener: IstioIngressListener) -> InboundPort | None:
    if listener.port is None:
        return None
    bound = view.interception is InterceptionMode.NONE or listener.capture_mode is CaptureMode.NONE
    number = listener.port.number
    mode = policy.for_port(number)
    sidecar = view.scope.sidecar
    return InboundPort(
        number=0 if listener.bind.startswith(UNIX) else number,
        service_port=number,
        host=f"{sidecar.name}.{sidecar.namespace}" if sidecar is not None else "",
        protocol=parse_protocol(listener.port.protocol),
        bind=listener.bind or view.address or wildcards(ipv4=view.ipv4, ipv6=view.ipv6)[0],
        bound=bound,
        mode=mode,
        tls=_own_tls(listener.tls) if listener.tls is not None and mode is MutualTLSMode.DISABLE else None,
    )


def _own_tls(settings: ServerTLSSettings) -> TlsServer | None:
    """TLS of the user's own: certificates from files beside the proxy.

    Without files it is the mesh's certificate that is shown: callers may refuse that, but nothing goes in plaintext.
    """
    if settings.mode not in (ServerTLSMode.SIMPLE, ServerTLSMode.MUTUAL):
        return None
    return TlsServer(
        certificates=(settings.server_certificate, settings.private_key, settings.ca_certificates),
        mesh=False,
        mutual=settings.mode is ServerTLSMode.MUTUAL,
        sans=settings.subject_alt_names,
    )
