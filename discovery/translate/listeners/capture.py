"""Where outbound traffic goes that no service claims: the capture listener, catch-all targets, the HTTP proxy port."""

from __future__ import annotations

from typing import Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import OutboundView
from discovery.mesh.scope import OutboundPolicy, outbound_policy
from discovery.schema.sidecar import OutboundTrafficPolicyMode
from discovery.store.cells import MESH
from discovery.translate.dynamic_dns import family_of_unknown_hosts
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import Inspection
from discovery.translate.listeners.binding import localhost, wildcards
from discovery.translate.listeners.conflicts import sniffed
from discovery.translate.listeners.spec import (
    Chain,
    ChainMatch,
    HttpTarget,
    ListenerShape,
    ListenerSpec,
    TcpTarget,
    UnknownHosts,
    WeightedCluster,
)
from discovery.wire.names import (
    ALLOW_ANY_DYNAMIC_DNS_CLUSTER,
    BLACK_HOLE_CLUSTER,
    PASSTHROUGH_CLUSTER,
    VIRTUAL_OUTBOUND,
    listener_name,
    outbound_cluster,
)
from discovery.wire.node import InterceptionMode

__all__ = ["FORWARD_PROXY_ROUTES", "CapturePorts", "capture_ports", "catch_all", "forward_proxy", "virtual_outbound"]

FORWARD_PROXY_ROUTES: Final = "http_proxy"


class CapturePorts(NamedTuple):
    """Ports of the mesh configuration; 0 or less: none."""

    outbound: int
    inbound: int
    forward_proxy: int


@query
def capture_ports(db: Database, _: None) -> CapturePorts:
    """The ports that captured traffic is sent to, and the one of the HTTP proxy."""
    mesh = MESH(db, None)
    return CapturePorts(mesh.proxy_listen_port, mesh.proxy_inbound_listen_port, mesh.proxy_http_port)


def _to(cluster: str) -> TcpTarget:
    return TcpTarget(stat_prefix=cluster, clusters=(WeightedCluster(cluster),))


def _catch_all_cluster(policy: OutboundPolicy) -> str:
    proxy = policy.egress_proxy
    if proxy is not None:
        return outbound_cluster(proxy.host, proxy.port.number if proxy.port is not None else 0, proxy.subset)
    return BLACK_HOLE_CLUSTER if policy.mode is OutboundTrafficPolicyMode.REGISTRY_ONLY else PASSTHROUGH_CLUSTER


def catch_all(db: Database, view: OutboundView) -> TcpTarget:
    """Where connections go that no service claims: on to where they were going, to an egress proxy, or nowhere."""
    return _to(_catch_all_cluster(outbound_policy(db, view.scope)))


def virtual_outbound(db: Database, view: OutboundView, *, spared: tuple[int, ...] = ()) -> ListenerSpec | None:
    """The listener that captured connections arrive at; None where nothing is captured.

    Args:
        db: the database.
        view: the proxy's.
        spared: ports of services that are not HTTP, sorted; looking for HTTP there would hold up servers that speak
            first.
    """
    port = capture_ports(db, None).outbound
    if view.interception is InterceptionMode.NONE or port <= 0:
        return None
    dynamic_dns = family_of_unknown_hosts(db, view)
    return ListenerSpec(
        name=VIRTUAL_OUTBOUND,
        binds=wildcards(ipv4=view.ipv4, ipv6=view.ipv6),
        port=port,
        shape=ListenerShape(
            side=Side.OUTBOUND,
            hands_off=True,
            transparent=view.interception is InterceptionMode.TPROXY,
            istio=view.istio_filters,
            http10=view.http10,
            http_inspection=Inspection(spared) if dynamic_dns else None,
            dynamic_dns=dynamic_dns,
        ),
        chains=(
            # Dialled itself, it would pass the connection on to itself for ever.
            Chain(name="virtualOutbound-blackhole", match=ChainMatch(port=port), target=_to(BLACK_HOLE_CLUSTER)),
            *((_resolved_http(view),) if dynamic_dns else ()),
            Chain(name="virtualOutbound-catchall-tcp", target=catch_all(db, view)),
        ),
    )


def _resolved_http(view: OutboundView) -> Chain:
    """Captured HTTP goes where the host that it names is, whatever address it was sent to."""
    routes = UnknownHosts(name="allow_any_dynamic_dns", cluster=ALLOW_ANY_DYNAMIC_DNS_CLUSTER)
    return Chain(
        name="virtualOutbound-catchall-tcp-http",
        match=sniffed(http10=view.http10),
        target=HttpTarget(stat_prefix=f"outbound_{VIRTUAL_OUTBOUND};", routes=routes),
    )


def forward_proxy(db: Database, view: OutboundView) -> ListenerSpec | None:
    """The listener for applications that are told to use an HTTP proxy; None unless proxy or mesh asks for one."""
    port = view.http_proxy_port or capture_ports(db, None).forward_proxy
    if port <= 0:
        return None
    name = listener_name(localhost(ipv4=view.ipv4), port)
    target = HttpTarget(stat_prefix=f"outbound_{name};", routes=FORWARD_PROXY_ROUTES, forward_proxy=True)
    return ListenerSpec(
        name=name,
        binds=(localhost(ipv4=view.ipv4),),
        port=port,
        shape=ListenerShape(
            side=Side.OUTBOUND,
            istio=view.istio_filters,
            http10=view.http10,
            dynamic_dns=family_of_unknown_hosts(db, view),
        ),
        chains=(Chain(target=target),),
    )
