"""Where outbound traffic goes that no service claims: the capture listener, catch-all targets, the HTTP proxy port."""

from __future__ import annotations

from typing import Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.proxy import OutboundView
from discovery.mesh.scope import OutboundPolicy, outbound_policy
from discovery.schema.sidecar import OutboundTrafficPolicyMode
from discovery.store.cells import MESH
from discovery.translate.filters.http import Side
from discovery.translate.listeners.binding import localhost, wildcards
from discovery.translate.listeners.spec import (
    Chain,
    ChainMatch,
    HttpTarget,
    ListenerShape,
    ListenerSpec,
    TcpTarget,
    WeightedCluster,
)
from discovery.wire.names import (
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


def virtual_outbound(db: Database, view: OutboundView) -> ListenerSpec | None:
    """The listener that captured connections arrive at; None where nothing is captured."""
    port = capture_ports(db, None).outbound
    if view.interception is InterceptionMode.NONE or port <= 0:
        return None
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
        ),
        chains=(
            # Dialled itself, it would pass the connection on to itself for ever.
            Chain(name="virtualOutbound-blackhole", match=ChainMatch(port=port), target=_to(BLACK_HOLE_CLUSTER)),
            Chain(name="virtualOutbound-catchall-tcp", target=catch_all(db, view)),
        ),
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
        shape=ListenerShape(side=Side.OUTBOUND, istio=view.istio_filters, http10=view.http10),
        chains=(Chain(target=target),),
    )
