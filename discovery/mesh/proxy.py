"""What configuration may depend on of a proxy, in small frozen structs.

``ProxyKey`` is what the proxy said of itself. ``ProxyView`` is what selection made of it; proxies with equal views
share every rendered byte, so nothing enters a view that does not change configuration. The views are split by
direction: a thousand sidecars of one namespace share one ``OutboundView`` although each has its own ``InboundView``.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from discovery.registry.service import Port, ServiceRef
from discovery.schema.meta import ObjectKey
from discovery.wire.node import InterceptionMode, NodeType

__all__ = ["InboundTarget", "InboundView", "Labels", "OutboundView", "ProxyKey", "ProxyView", "ScopeKey"]

Labels = tuple[tuple[str, str], ...]  # sorted pairs


class ProxyKey(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """A proxy as it announced itself in its first request."""

    type: NodeType
    ips: tuple[str, ...]
    namespace: str
    dns_domain: str = ""
    labels: Labels = ()
    service_account: str = ""
    cluster_id: str = ""
    network: str = ""
    locality: str = ""  # region/zone/subzone
    node_name: str = ""  # the Kubernetes Node it runs on
    interception: InterceptionMode = InterceptionMode.REDIRECT
    istio_filters: bool = False  # announces the extensions ``istio.*`` in Node.extensions
    vhds: bool = False  # delta stream of an Envoy that may be served virtual hosts on their own
    dns_auto_allocate: bool = False
    dns_srv: bool = False  # wants ports in its name table
    http10: bool = False
    idle_timeout: str = ""
    unprivileged: bool = False
    bound: bool = False  # its Envoy binds connections to an address or an interface, save where told otherwise
    tracing: str = ""  # ProxyConfig's, as JSON, if its bootstrap has a tracer
    http_proxy_port: int = 0  # where its application expects an HTTP proxy; 0: where the mesh says
    static_ports: frozenset[int] = frozenset()  # bound by the proxy's own bootstrap on the wildcard address
    client_certificates: tuple[str, str, str] = ("", "", "")  # TLS_CLIENT_* chain, key, root
    server_certificates: tuple[str, str, str] = ("", "", "")  # TLS_SERVER_* chain, key, root


class ScopeKey(NamedTuple):
    """What a proxy may see: its namespace, and the Sidecar that limits it (None: no limit)."""

    namespace: str
    sidecar: ObjectKey | None
    gateway: bool = False  # routers see everything that is exported to their namespace


class OutboundView(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """All of a proxy that its outbound listeners, routes, clusters and endpoints may depend on."""

    scope: ScopeKey
    type: NodeType
    dns_domain: str
    cluster_id: str
    network: str
    locality: str
    interception: InterceptionMode
    node_name: str = ""  # only where a service of the scope is for clients on the same Node
    ipv4: bool = True
    ipv6: bool = False
    istio_filters: bool = False
    vhds: bool = False
    dns_auto_allocate: bool = False
    dns_srv: bool = False
    http10: bool = False
    idle_timeout: str = ""
    unprivileged: bool = False
    bound: bool = False
    http_proxy_port: int = 0
    static_ports: frozenset[int] = frozenset()
    client_certificates: tuple[str, str, str] = ("", "", "")
    route_labels: Labels = ()  # the proxy's labels, only those that VirtualServices of the scope select by
    rule_labels: Labels = ()  # likewise, those that DestinationRules of its namespace select by
    telemetry_labels: Labels = ()  # likewise, those that Telemetry of its namespace selects by
    tracing: str = ""


class InboundTarget(NamedTuple):
    """A service port that this workload serves, and the port it listens on for it."""

    service: ServiceRef
    port: Port
    target_port: int


class InboundView(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """All of a proxy that its inbound listeners and clusters may depend on."""

    scope: ScopeKey
    type: NodeType
    namespace: str
    targets: tuple[InboundTarget, ...]  # oldest service first
    policy_labels: Labels  # the workload's labels, for workload-selecting policies
    interception: InterceptionMode
    telemetry_labels: Labels = ()  # likewise, for Telemetry
    tracing: str = ""
    address: str = ""  # the workload's own, only where a Sidecar spells out ingress listeners (they bind it)
    ipv4: bool = True
    ipv6: bool = False
    istio_filters: bool = False
    http10: bool = False
    bound: bool = False
    server_certificates: tuple[str, str, str] = ("", "", "")


class ProxyView(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What selection made of a proxy."""

    outbound: OutboundView
    inbound: InboundView
