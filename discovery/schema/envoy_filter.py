"""EnvoyFilter: changes to the configuration that a proxy would get, written in Envoy's own messages.

Spec: https://istio.io/latest/docs/reference/config/networking/envoy-filter/
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.schema.message import Message, ProtoEnum, UInt32
from discovery.schema.selector import PolicyTargetReferences, WorkloadSelector

__all__ = [
    "ApplyTo",
    "ClusterMatch",
    "EnvoyConfigObjectMatch",
    "EnvoyConfigObjectPatch",
    "EnvoyFilter",
    "FilterChainMatch",
    "FilterClass",
    "FilterMatch",
    "ListenerMatch",
    "Patch",
    "PatchContext",
    "PatchOperation",
    "ProxyMatch",
    "RouteAction",
    "RouteConfigurationMatch",
    "RouteMatch",
    "SubFilterMatch",
    "VirtualHostMatch",
    "WaypointMatch",
    "WaypointRouteMatch",
]


class ApplyTo(ProtoEnum):
    """What is patched."""

    INVALID = "INVALID"
    LISTENER = "LISTENER"
    FILTER_CHAIN = "FILTER_CHAIN"
    NETWORK_FILTER = "NETWORK_FILTER"
    HTTP_FILTER = "HTTP_FILTER"
    ROUTE_CONFIGURATION = "ROUTE_CONFIGURATION"
    VIRTUAL_HOST = "VIRTUAL_HOST"
    HTTP_ROUTE = "HTTP_ROUTE"
    CLUSTER = "CLUSTER"
    EXTENSION_CONFIG = "EXTENSION_CONFIG"
    BOOTSTRAP = "BOOTSTRAP"
    LISTENER_FILTER = "LISTENER_FILTER"


class PatchContext(ProtoEnum):
    """Which proxies, and which direction of a sidecar."""

    ANY = "ANY"
    SIDECAR_INBOUND = "SIDECAR_INBOUND"
    SIDECAR_OUTBOUND = "SIDECAR_OUTBOUND"
    GATEWAY = "GATEWAY"
    WAYPOINT = "WAYPOINT"


class ProxyMatch(Message, frozen=True, kw_only=True):
    """Proxies by version (a regular expression) and by exact node metadata."""

    proxy_version: str = ""
    metadata: Mapping[str, str] = {}


class SubFilterMatch(Message, frozen=True, kw_only=True):
    """A filter inside of a filter: an HTTP filter of the connection manager."""

    name: str = ""


class FilterMatch(Message, frozen=True, kw_only=True):
    """A network filter by name."""

    name: str = ""
    sub_filter: SubFilterMatch | None = None


class FilterChainMatch(Message, frozen=True, kw_only=True):
    """A filter chain of a listener."""

    name: str = ""
    sni: str = ""
    transport_protocol: str = ""
    transport_socket: str = ""
    application_protocols: str = ""
    filter: FilterMatch | None = None
    destination_port: UInt32 = 0


class ListenerMatch(Message, frozen=True, kw_only=True):
    """A listener, and what is in it."""

    port_number: UInt32 = 0
    port_name: str = ""
    filter_chain: FilterChainMatch | None = None
    name: str = ""
    listener_filter: str = ""


class RouteAction(ProtoEnum):
    """What a route does."""

    ANY = "ANY"
    ROUTE = "ROUTE"
    REDIRECT = "REDIRECT"
    DIRECT_RESPONSE = "DIRECT_RESPONSE"


class RouteMatch(Message, frozen=True, kw_only=True):
    """A route of a virtual host."""

    name: str = ""
    action: RouteAction = RouteAction.ANY


class VirtualHostMatch(Message, frozen=True, kw_only=True):
    """A virtual host, and a route in it."""

    name: str = ""
    route: RouteMatch | None = None
    domain_name: str = ""


class RouteConfigurationMatch(Message, frozen=True, kw_only=True):
    """A route configuration, and what is in it."""

    port_number: UInt32 = 0
    port_name: str = ""
    gateway: str = ""
    vhost: VirtualHostMatch | None = None
    name: str = ""


class ClusterMatch(Message, frozen=True, kw_only=True):
    """A cluster by its name, or by service, port and subset."""

    port_number: UInt32 = 0
    service: str = ""
    subset: str = ""
    name: str = ""


class WaypointRouteMatch(Message, frozen=True, kw_only=True):
    """A route of a waypoint."""

    name: str = ""


class WaypointMatch(Message, frozen=True, kw_only=True):
    """A part of a waypoint's configuration."""

    port_number: UInt32 | None = None
    filter: FilterMatch | None = None
    route: WaypointRouteMatch | None = None


class EnvoyConfigObjectMatch(Message, frozen=True, kw_only=True):
    """Where a patch applies; what is empty matches everything."""

    oneofs = (("listener", "route_configuration", "cluster", "waypoint"),)

    context: PatchContext = PatchContext.ANY
    proxy: ProxyMatch | None = None
    listener: ListenerMatch | None = None
    route_configuration: RouteConfigurationMatch | None = None
    cluster: ClusterMatch | None = None
    waypoint: WaypointMatch | None = None


class PatchOperation(ProtoEnum):
    """How the value gets into the configuration."""

    INVALID = "INVALID"
    MERGE = "MERGE"
    ADD = "ADD"
    REMOVE = "REMOVE"
    INSERT_BEFORE = "INSERT_BEFORE"
    INSERT_AFTER = "INSERT_AFTER"
    INSERT_FIRST = "INSERT_FIRST"
    REPLACE = "REPLACE"
    MERGE_AND_REPLACE_LIST = "MERGE_AND_REPLACE_LIST"


class FilterClass(ProtoEnum):
    """At which place among the mesh's own filters an added one goes."""

    UNSPECIFIED = "UNSPECIFIED"
    AUTHN = "AUTHN"
    AUTHZ = "AUTHZ"
    STATS = "STATS"


class Patch(Message, frozen=True, kw_only=True):
    """An operation with its value: JSON of an Envoy message."""

    operation: PatchOperation = PatchOperation.INVALID
    value: Mapping[str, Any] | None = None
    filter_class: FilterClass = FilterClass.UNSPECIFIED


class EnvoyConfigObjectPatch(Message, frozen=True, kw_only=True):
    """One change."""

    apply_to: ApplyTo = ApplyTo.INVALID
    match: EnvoyConfigObjectMatch | None = None
    patch: Patch | None = None


class EnvoyFilter(Message, frozen=True, kw_only=True):
    """Changes for the selected workloads or targets, in order; a lower ``priority`` goes first."""

    workload_selector: WorkloadSelector | None = None
    target_refs: PolicyTargetReferences = ()
    config_patches: tuple[EnvoyConfigObjectPatch, ...] = ()
    priority: int = 0
