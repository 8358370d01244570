"""From a listener as a value to its bytes."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_interface
from typing import Any, Final

import msgspec

from discovery.engine import Database, query
from discovery.schema.mesh_config import NormalizationType
from discovery.store.cells import MESH
from discovery.translate.filters.access_log import FileLog, access_log, listener_access_log, mesh_access_logs
from discovery.translate.filters.connection_manager import ManagerOptions, connection_manager, rds
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import ORIGINAL_DST, http_inspector, original_src, tls_inspector
from discovery.translate.filters.network import metadata_exchange, tcp_filters
from discovery.translate.listeners.binding import UNIX
from discovery.translate.listeners.inbound_route import inbound_route_configuration
from discovery.translate.listeners.server_tls import server_socket
from discovery.translate.listeners.spec import (
    Chain,
    ChainMatch,
    HttpTarget,
    InboundRoute,
    ListenerSpec,
    TcpTarget,
)
from discovery.translate.metadata import config_path, istio_metadata
from discovery.wire.envoy import Listener
from discovery.wire.resource import Resource, resource
from discovery.wire.type_urls import LISTENER

__all__ = ["ListenerSettings", "listener", "listener_settings"]

_HANDSHAKE_TIMEOUT: Final = {"seconds": 15}  # of a transport socket; Envoy would wait for ever
_CAPTURE_MARK: Final = 1337  # on packets that the proxy sends for the application (TPROXY)


class ListenerSettings(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What all listeners take from the mesh configuration."""

    detection_timeout: timedelta
    normalization: NormalizationType
    access_logs: tuple[FileLog, ...]
    listener_logs: bool
    trust_domains: tuple[str, ...]


@query
def listener_settings(db: Database, _: None) -> ListenerSettings:
    """Read them once, so that other changes of the mesh configuration do not reach listeners."""
    mesh = MESH(db, None)
    named = (domain for authority in mesh.ca_certificates for domain in authority.trust_domains)
    return ListenerSettings(
        detection_timeout=mesh.protocol_detection_timeout,
        normalization=mesh.path_normalization.normalization,
        access_logs=mesh_access_logs(db, None),
        listener_logs=not mesh.disable_envoy_listener_log,
        trust_domains=tuple(dict.fromkeys((mesh.trust_domain, *mesh.trust_domain_aliases, *named))),
    )


@query
def listener(db: Database, spec: ListenerSpec) -> Resource:
    """The listener as it goes on the wire."""
    return resource(LISTENER, spec.name, Listener(**build_listener(spec, listener_settings(db, None))))


def build_listener(spec: ListenerSpec, settings: ListenerSettings) -> dict[str, Any]:
    """The keyword form of ``listener.v3.Listener``."""
    chains = _Chains(spec, settings)
    first, *others = [_address(bind, spec.port) for bind in spec.binds]
    out: dict[str, Any] = {
        "name": spec.name,
        "address": first,
        "traffic_direction": "OUTBOUND" if spec.side is Side.OUTBOUND else "INBOUND",
        "filter_chains": [chains.build(chain) for chain in spec.chains],
    }
    if others:
        out["additional_addresses"] = [{"address": address} for address in others]
    if spec.default_chain is not None:
        out["default_filter_chain"] = chains.build(spec.default_chain)
    if spec.captured:
        out["bind_to_port"] = {"value": False}
    else:
        # One at a time: a burst of connections is spread over the workers instead of going to the first awake.
        out["max_connections_to_accept_per_socket_event"] = {"value": 1}
    if spec.hands_off:
        out["use_original_dst"] = {"value": True}
    if spec.transparent:
        out["transparent"] = {"value": True}
    _inspect(out, spec, settings)
    if settings.access_logs and settings.listener_logs:
        out["access_log"] = [listener_access_log(log) for log in settings.access_logs]
    return out


def _address(bind: str, port: int) -> dict[str, Any]:
    if bind.startswith(UNIX):
        return {"pipe": {"path": bind.removeprefix(UNIX)}}
    return {"socket_address": {"address": bind, "port_value": port}}


def _inspect(out: dict[str, Any], spec: ListenerSpec, settings: ListenerSettings) -> None:
    filters = [ORIGINAL_DST] if spec.original_dst else []
    if spec.transparent and spec.side is Side.INBOUND:
        filters.append(original_src(_CAPTURE_MARK))
    if spec.tls_inspection is not None:
        filters.append(tls_inspector(spec.tls_inspection))
    timeout = timedelta(0)
    if spec.http_inspection is not None:
        filters.append(http_inspector(spec.http_inspection))
        timeout = settings.detection_timeout
    if spec.tls_inspection is not None or spec.http_inspection is not None:
        # No verdict is one too: the connection goes on as plain TCP. 0 waits for the first bytes without limit.
        out["continue_on_listener_filters_timeout"] = True
        out["listener_filters_timeout"] = timeout
    if filters:
        out["listener_filters"] = filters


class _Chains:
    """Builds the chains of one listener, which have most of their content in common."""

    def __init__(self, spec: ListenerSpec, settings: ListenerSettings) -> None:
        self.spec = spec
        self.side = spec.side
        self.istio = spec.istio
        self.settings = settings
        self.logs = [access_log(log) for log in settings.access_logs]
        self.options: ManagerOptions | None = None

    def build(self, chain: Chain) -> dict[str, Any]:
        """The keyword form of ``listener.v3.FilterChain``."""
        out: dict[str, Any] = {"filters": self._filters(chain)}
        if chain.name:
            out["name"] = chain.name
        if any(chain.match):
            out["filter_chain_match"] = _match(chain.match)
        if chain.tls is not None:
            out["transport_socket"] = server_socket(chain.tls, self.settings.trust_domains)
        if chain.tls is not None or self.side is Side.OUTBOUND:
            out["transport_socket_connect_timeout"] = _HANDSHAKE_TIMEOUT
        if chain.config is not None:
            out["metadata"] = istio_metadata({"config": config_path(chain.config)})
        return out

    def _filters(self, chain: Chain) -> list[dict[str, Any]]:
        filters = [metadata_exchange()] if self.istio and self.side is Side.INBOUND else []
        target = chain.target
        if isinstance(target, TcpTarget):
            proxy = _tcp_proxy(target, self.logs)
            filters += tcp_filters(proxy, side=self.side, protocol=target.protocol, istio=self.istio)
        else:
            filters.append(self._manager(target))
        return filters

    def _manager(self, target: HttpTarget) -> dict[str, Any]:
        if isinstance(target.routes, InboundRoute):
            routes = {"route_config": inbound_route_configuration(target.routes)}
        else:
            routes = rds(target.routes)
        if self.options is None:
            self.options = ManagerOptions(
                side=self.side,
                istio=self.istio,
                http10=self.spec.http10,
                normalization=self.settings.normalization,
                access_logs=self.settings.access_logs,
            )
        return connection_manager(
            self.options,
            routes,
            stat_prefix=target.stat_prefix,
            grpc_web=target.grpc_web,
            forward_proxy=target.forward_proxy,
        )


def _match(match: ChainMatch) -> dict[str, Any]:
    out: dict[str, Any] = {}
    if match.port:
        out["destination_port"] = {"value": match.port}
    if match.subnets:
        out["prefix_ranges"] = [_range(subnet) for subnet in match.subnets]
    if match.server_names:
        out["server_names"] = match.server_names
    if match.transport:
        out["transport_protocol"] = match.transport
    if match.alpn:
        out["application_protocols"] = match.alpn
    return out


def _range(subnet: str) -> dict[str, Any]:
    network = ip_interface(subnet).network  # masks host bits, which Envoy ignores and people write
    return {"address_prefix": str(network.network_address), "prefix_len": {"value": network.prefixlen}}


def _tcp_proxy(target: TcpTarget, logs: list[dict[str, Any]]) -> dict[str, Any]:
    out: dict[str, Any] = {"stat_prefix": target.stat_prefix}
    if logs:
        out["access_log"] = logs
    if len(target.clusters) == 1:
        out["cluster"] = target.clusters[0].cluster
    else:
        weighted = [{"name": name, "weight": weight} for name, weight in target.clusters]
        out["weighted_clusters"] = {"clusters": weighted}
    if target.idle_timeout is not None:
        out["idle_timeout"] = target.idle_timeout
    if target.max_duration is not None:
        out["max_downstream_connection_duration"] = target.max_duration
    if target.hash_source_ip:
        out["hash_policy"] = [{"source_ip": {}}]
    if target.tunnel is not None:
        out["tunneling_config"] = {"hostname": target.tunnel.target, "use_post": target.tunnel.protocol == "POST"}
    return out
