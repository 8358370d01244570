"""Selection of inbound listeners: the capture listener with the chains of all ports, and listeners that bind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from msgspec.structs import replace

from discovery.engine import Database, query
from discovery.mesh.peer_authentication import MtlsPolicy
from discovery.mesh.proxy import InboundView
from discovery.registry.service import Protocol, ProtocolClass
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import Inspection
from discovery.translate.listeners.binding import wildcards
from discovery.translate.listeners.capture import capture_ports
from discovery.translate.listeners.inbound_chains import Slot, inbound_slots
from discovery.translate.listeners.inbound_ports import InboundPort, inbound_policy, inbound_ports
from discovery.translate.listeners.spec import (
    PLAINTEXT,
    TLS,
    Chain,
    ChainMatch,
    HttpTarget,
    InboundRoute,
    ListenerShape,
    ListenerSpec,
    TcpTarget,
    TlsServer,
    WeightedCluster,
)
from discovery.wire.names import (
    BLACK_HOLE_CLUSTER,
    INBOUND_PASSTHROUGH_CLUSTER,
    VIRTUAL_INBOUND,
    inbound_cluster,
    listener_name,
)
from discovery.wire.node import InterceptionMode, NodeType

__all__ = ["inbound_specs"]

_HTTP_ALPN: Final = ("h2", "http/1.1")
_GRPC: Final = (Protocol.GRPC, Protocol.GRPC_WEB)


@query
def inbound_specs(db: Database, view: InboundView) -> tuple[ListenerSpec, ...]:
    """The inbound listeners of a sidecar, the capture listener first."""
    if view.type is not NodeType.SIDECAR:
        return ()
    ports = inbound_ports(db, view).ports
    builder = _Builder(view)
    specs = [builder.bound(port) for port in ports if port.bound]
    capture = capture_ports(db, None).inbound
    if view.interception is not InterceptionMode.NONE and capture > 0:
        captured = [port for port in ports if not port.bound]
        specs.insert(0, builder.virtual_inbound(capture, captured, inbound_policy(db, view)))
    return tuple(specs)


class _Builder:
    """Builds the listeners of one view."""

    def __init__(self, view: InboundView) -> None:
        self.view = view
        # Only Istio's build of Envoy can exchange metadata; offered by another, callers would send it bytes it
        # takes for the application's.
        tcp_alpn = ("istio-peer-exchange", *_HTTP_ALPN) if view.istio_filters else _HTTP_ALPN
        self.tls = {
            True: TlsServer(alpn=_HTTP_ALPN, certificates=view.server_certificates),
            False: TlsServer(alpn=tcp_alpn, certificates=view.server_certificates),
        }

    def virtual_inbound(self, capture: int, ports: Sequence[InboundPort], policy: MtlsPolicy) -> ListenerSpec:
        """The listener that captured inbound connections arrive at."""
        view = self.view
        black_hole = TcpTarget(stat_prefix=BLACK_HOLE_CLUSTER, clusters=(WeightedCluster(BLACK_HOLE_CLUSTER),))
        rest = list(self._passthrough(policy, served={port.number for port in ports}))
        own = [chain for port in ports for chain in self._chains(port)]
        chains = (
            Chain(name="virtualInbound-blackhole", match=ChainMatch(port=capture), target=black_hole),
            *rest,
            *own,
        )
        return ListenerSpec(
            name=VIRTUAL_INBOUND,
            binds=wildcards(ipv4=view.ipv4, ipv6=view.ipv6),
            port=capture,
            chains=chains,
            shape=ListenerShape(
                side=Side.INBOUND,
                original_dst=True,
                transparent=view.interception is InterceptionMode.TPROXY,
                tls_inspection=_tls_inspection(chains),
                http_inspection=_http_inspection(chains),
                istio=view.istio_filters,
                http10=view.http10,
            ),
        )

    def bound(self, port: InboundPort) -> ListenerSpec:
        """The listener of one port that nothing is captured for."""
        chains = tuple(replace(chain, match=chain.match._replace(port=0)) for chain in self._chains(port))
        return ListenerSpec(
            name=listener_name(port.bind, port.number),
            binds=(port.bind,),
            port=port.number,
            chains=chains,
            shape=ListenerShape(
                side=Side.INBOUND,
                tls_inspection=Inspection() if any(map(_needs_tls, chains)) else None,
                http_inspection=Inspection() if any(map(_needs_http, chains)) else None,
                istio=self.view.istio_filters,
                http10=self.view.http10,
            ),
        )

    # -- chains ------------------------------------------------------------------------------------------------------

    def _passthrough(self, policy: MtlsPolicy, served: set[int]) -> Iterator[Chain]:
        """Chains of connections to ports that no service is on; first the ports that the policy names."""
        exceptions = [(port, mode) for port, mode in policy.ports if port not in served]
        for port, mode in [*exceptions, (0, policy.mode)]:
            for slot in inbound_slots(ProtocolClass.AUTO, mode):
                name = "virtualInbound-catchall-http" if slot.http else VIRTUAL_INBOUND
                yield self._chain(slot, name, port, self._passthrough_target(slot))

    def _passthrough_target(self, slot: Slot) -> HttpTarget | TcpTarget:
        cluster = INBOUND_PASSTHROUGH_CLUSTER
        if slot.http:
            return HttpTarget(stat_prefix=f"{cluster};", routes=InboundRoute(cluster=cluster, port=0))
        return TcpTarget(stat_prefix=cluster, clusters=(WeightedCluster(cluster),))

    def _chains(self, port: InboundPort) -> Iterator[Chain]:
        """Chains of one port."""
        name = listener_name(port.bind, port.number)
        if port.tls is not None:
            http = port.family is ProtocolClass.HTTP
            own = replace(port.tls, alpn=_HTTP_ALPN if http else ())
            chain = self._chain(Slot(TLS, http=http), name, port.number, self._target(port, http=http))
            yield replace(chain, tls=own)
            return
        for slot in inbound_slots(port.family, port.mode):
            yield self._chain(slot, name, port.number, self._target(port, http=slot.http))

    def _chain(self, slot: Slot, name: str, port: int, target: HttpTarget | TcpTarget) -> Chain:
        alpn = (*slot.alpn, "http/1.0") if self.view.http10 and slot.http and slot.transport == PLAINTEXT else slot.alpn
        return Chain(
            name=name,
            match=ChainMatch(port=port, transport=slot.transport, alpn=alpn if slot.alpn else ()),
            target=target,
            tls=self.tls[slot.http] if slot.mtls else None,
        )

    def _target(self, port: InboundPort, *, http: bool) -> HttpTarget | TcpTarget:
        cluster = inbound_cluster(port.service_port if port.number == 0 else port.number)
        if not http:
            protocol = port.protocol if port.protocol is Protocol.MONGO else Protocol.TCP
            return TcpTarget(stat_prefix=cluster, clusters=(WeightedCluster(cluster),), protocol=protocol)
        grpc = port.protocol in _GRPC
        route = InboundRoute(cluster=cluster, port=port.service_port, host=port.host, grpc=grpc)
        return HttpTarget(
            stat_prefix=f"inbound_{listener_name(port.bind, port.number)};",
            routes=route,
            grpc_web=port.protocol is Protocol.GRPC_WEB,
        )


# -- inspection --------------------------------------------------------------------------------------------------------


def _needs_tls(chain: Chain) -> bool:
    return chain.match.transport == TLS


def _needs_http(chain: Chain) -> bool:
    return chain.match.transport == PLAINTEXT and bool(chain.match.alpn)


def _split(chains: Iterable[Chain], wanted: set[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Destination ports that chains name, divided into those wanted and the others."""
    named = {chain.match.port for chain in chains if chain.match.port}
    return tuple(sorted(named & wanted)), tuple(sorted(named - wanted))


def _tls_inspection(chains: Sequence[Chain]) -> Inspection | None:
    """Where TLS is looked for; port 0 stands for all ports that no chain names."""
    wanted = {chain.match.port for chain in chains if _needs_tls(chain)}
    inside, outside = _split(chains, wanted)
    if 0 in wanted:
        return Inspection(outside)
    return Inspection(inside, only=True) if inside else None


def _http_inspection(chains: Sequence[Chain]) -> Inspection | None:
    """Where plaintext is looked at; always by exclusion, so a port that no chain names is inspected."""
    wanted = {chain.match.port for chain in chains if _needs_http(chain)}
    return Inspection(_split(chains, wanted)[1]) if wanted else None
