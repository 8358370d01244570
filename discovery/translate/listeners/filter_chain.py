"""Filter chains as bytes: the filters that a chain's target stands for, and what decides who enters it."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Final

import msgspec

from discovery.mesh.settings import MeshTls
from discovery.schema.mesh_config import NormalizationType
from discovery.translate.filters.access_log import FileLog
from discovery.translate.filters.connection_manager import ManagerOptions, connection_manager, rds
from discovery.translate.filters.http import Side
from discovery.translate.filters.network import METADATA_EXCHANGE, tcp_filters
from discovery.translate.filters.tracing import Tracing
from discovery.translate.listeners.inbound_route import inbound_route_configuration
from discovery.translate.listeners.server_tls import server_socket
from discovery.translate.listeners.spec import (
    EVERYTHING,
    Chain,
    ChainMatch,
    HttpTarget,
    InboundRoute,
    ListenerShape,
    TcpTarget,
    TlsServer,
    UnknownHosts,
    network_of,
)
from discovery.translate.listeners.unknown_hosts import unknown_hosts_configuration
from discovery.translate.metadata import config_path, istio_metadata
from discovery.wire.envoy import FilterChain, serialize
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["ChainBuilder", "ListenerSettings"]

_FILTERS, _NAME = 3, 7  # field numbers of listener.v3.FilterChain
_HANDSHAKE: Final = {"transport_socket_connect_timeout": {"seconds": 15}}  # Envoy would wait for ever
_HANDSHAKE_BYTES: Final = serialize(FilterChain(**_HANDSHAKE))


class ListenerSettings(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """What all listeners take from the mesh configuration."""

    detection_timeout: timedelta
    normalization: NormalizationType
    access_logs: tuple[FileLog, ...]
    listener_logs: bool
    tracing: Tracing | None = None
    trust_domains: tuple[str, ...]
    tls: MeshTls = MeshTls()


class ChainBuilder:
    """Builds the chains of one listener, which have most of their content in common."""

    def __init__(self, shape: ListenerShape, settings: ListenerSettings) -> None:
        self.shape = shape
        self.settings = settings
        self.options: ManagerOptions | None = None

    def build(self, chain: Chain) -> bytes:
        """``listener.v3.FilterChain``, serialised."""
        out = [bytes_field(_FILTERS, item) for item in self._filters(chain)]
        if chain.name:
            out.append(string_field(_NAME, chain.name))
        if chain.match is not EVERYTHING:
            out.append(_match(chain.match))
        if chain.tls is not None:
            out.append(_socket(chain.tls, self.settings.trust_domains, self.settings.tls))
        elif self.shape.side is Side.OUTBOUND:
            out.append(_HANDSHAKE_BYTES)
        if chain.config is not None:
            out.append(serialize(FilterChain(metadata=istio_metadata({"config": config_path(chain.config)}))))
        return b"".join(out)

    def _filters(self, chain: Chain) -> list[bytes]:
        side, istio = self.shape.side, self.shape.istio
        filters = [METADATA_EXCHANGE] if istio and side is Side.INBOUND else []
        target = chain.target
        if isinstance(target, TcpTarget):
            logs = self.settings.access_logs
            filters += tcp_filters(
                target.stat_prefix, _tcp_fields(target), side=side, protocol=target.protocol, istio=istio, logs=logs
            )
        else:
            filters.append(self._manager(target))
        return filters

    def _manager(self, target: HttpTarget) -> bytes:
        if isinstance(target.routes, InboundRoute):
            routes = {"route_config": inbound_route_configuration(target.routes)}
        elif isinstance(target.routes, UnknownHosts):
            routes = {"route_config": unknown_hosts_configuration(target.routes)}
        else:
            routes = rds(target.routes)
        if self.options is None:
            self.options = ManagerOptions(
                side=self.shape.side,
                istio=self.shape.istio,
                http10=self.shape.http10,
                dynamic_dns=self.shape.dynamic_dns,
                normalization=self.settings.normalization,
                access_logs=self.settings.access_logs,
                tracing=self.settings.tracing,
            )
        return connection_manager(
            self.options,
            routes,
            stat_prefix=target.stat_prefix,
            grpc_web=target.grpc_web,
            forward_proxy=target.forward_proxy,
        )


@lru_cache(maxsize=64)  # few differ within a mesh, and every inbound listener has them
def _socket(server: TlsServer, trust_domains: tuple[str, ...], mesh: MeshTls) -> bytes:
    return serialize(FilterChain(transport_socket=server_socket(server, trust_domains, mesh), **_HANDSHAKE))


@lru_cache(maxsize=256)  # those for HTTP are everywhere
def _match(match: ChainMatch) -> bytes:
    out: dict[str, Any] = {}
    if match.port:
        out["destination_port"] = {"value": match.port}
    if match.subnets:
        out["prefix_ranges"] = [_range(network) for network in dict.fromkeys(map(network_of, match.subnets))]
    if match.server_names:
        out["server_names"] = match.server_names
    if match.transport:
        out["transport_protocol"] = match.transport
    if match.alpn:
        out["application_protocols"] = match.alpn
    return serialize(FilterChain(filter_chain_match=out)) if out else b""


def _range(network: IPv4Network | IPv6Network) -> dict[str, Any]:
    return {"address_prefix": str(network.network_address), "prefix_len": {"value": network.prefixlen}}


def _tcp_fields(target: TcpTarget) -> dict[str, Any]:
    """Fields of ``TcpProxy`` but its name."""
    out: dict[str, Any] = {}
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
