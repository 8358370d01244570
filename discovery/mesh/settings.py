"""Facets of the mesh configuration: one small query each, so that an unrelated change of the mesh stops there."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from discovery.engine import Database, query
from discovery.schema.destination_rule import LocalityLoadBalancerSetting, TcpKeepalive
from discovery.schema.server_tls import TLSProtocol
from discovery.store.cells import MESH

__all__ = [
    "ClusterSettings",
    "MeshTls",
    "cluster_settings",
    "inbound_localhost",
    "mesh_locality",
    "mesh_tls",
    "trust_domains",
]


class ClusterSettings(NamedTuple):
    """What clusters take from the mesh."""

    connect_timeout: timedelta
    auto_mtls: bool
    http2_upgrade: bool
    dns_refresh_rate: timedelta
    tcp_keepalive: TcpKeepalive | None


class MeshTls(NamedTuple):
    """What ``meshMTLS`` asks of servers within the mesh."""

    only_tls13: bool = False
    ciphers: tuple[str, ...] = ()  # of TLS 1.2, as written; none: the usual ones
    curves: tuple[str, ...] = ()  # as written; none: Envoy's choice


@query
def mesh_tls(db: Database, _: None) -> MeshTls:
    """Parameters of mutual TLS within the mesh."""
    written = MESH(db, None).mesh_mtls
    if written is None:
        return MeshTls()
    only_tls13 = written.min_protocol_version is TLSProtocol.TLSV1_3  # nothing below 1.2 is ever accepted
    return MeshTls(only_tls13, written.cipher_suites, written.ecdh_curves)


@query
def cluster_settings(db: Database, _: None) -> ClusterSettings:
    """Cluster defaults of the mesh."""
    mesh = MESH(db, None)
    return ClusterSettings(
        connect_timeout=mesh.connect_timeout,
        auto_mtls=mesh.enable_auto_mtls,
        http2_upgrade=mesh.h2_upgrade_policy == "UPGRADE",
        dns_refresh_rate=mesh.dns_refresh_rate,
        tcp_keepalive=mesh.tcp_keepalive,
    )


@query
def trust_domains(db: Database, _: None) -> tuple[str, ...]:
    """The mesh's trust domain, then its aliases."""
    mesh = MESH(db, None)
    return tuple(dict.fromkeys((mesh.trust_domain, *mesh.trust_domain_aliases)))


@query
def mesh_locality(db: Database, _: None) -> LocalityLoadBalancerSetting | None:
    """The mesh-wide preference for near endpoints."""
    return MESH(db, None).locality_lb_setting


@query
def inbound_localhost(db: Database, _: None) -> bool:
    """Whether sidecars send to 127.0.0.1 instead of the pod's own address."""
    return MESH(db, None).inbound_traffic_policy.mode == "LOCALHOST"
