"""How an outbound cluster speaks to its endpoints: plaintext, TLS, or mutual TLS of the mesh, told or found out.

Without a DestinationRule that says otherwise, mutual TLS is used towards every endpoint that announces it
(``transport_socket_matches`` on the endpoint's ``tlsMode``), so a mesh can be joined workload by workload.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from discovery.registry.service import Port, Resolution, Service
from discovery.schema.destination_rule import ClientTLSMode, ClientTLSSettings
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.tls import (
    ALPN_IN_MESH,
    ALPN_IN_MESH_H2,
    agent_secret,
    exact_sans,
    secret_over_ads,
    tls_params,
    tls_socket,
    upstream_mtls,
)
from discovery.wire.envoy import RawBuffer, UpstreamTlsContext, pack
from discovery.wire.names import sni_name

__all__ = ["Effective", "Peer", "apply_transport", "effective_tls", "upstream_names"]

_PLAINTEXT: Final = {"name": "envoy.transport_sockets.raw_buffer", "typed_config": pack(RawBuffer())}
_TLS_MODE: Final = "tlsMode"


class Peer(NamedTuple):
    """What is known of the far side before looking at its endpoints."""

    service: Service
    port: Port
    subset: str
    accounts: tuple[str, ...]  # SPIFFE ids that its workloads may have
    mode: MutualTLSMode  # what its namespace asks of callers
    auto_mtls: bool
    http2: bool
    client_certificates: tuple[str, str, str]


class Effective(NamedTuple):
    """TLS settings in force."""

    settings: ClientTLSSettings
    detected: bool  # found out by the mesh, not written by a user


def effective_tls(written: ClientTLSSettings | None, peer: Peer) -> Effective | None:
    """The TLS settings in force; None for plaintext."""
    if written is not None:
        if written.mode is ClientTLSMode.DISABLE:
            return None
        return Effective(written, detected=False)
    if peer.service.external or not peer.auto_mtls or peer.mode is MutualTLSMode.DISABLE:
        return None
    return Effective(ClientTLSSettings(mode=ClientTLSMode.ISTIO_MUTUAL), detected=True)


def apply_transport(cluster: dict[str, Any], effective: Effective | None, peer: Peer) -> None:
    """Give the keyword form of a cluster its transport socket or sockets."""
    if effective is None:
        return
    settings = effective.settings
    if settings.mode is not ClientTLSMode.ISTIO_MUTUAL:
        cluster["transport_socket"] = _simple_tls(settings, peer)
        return
    socket = upstream_mtls(
        sni=settings.sni or sni_name(peer.service.ref.host, peer.port.number, peer.subset),
        alpn=ALPN_IN_MESH_H2 if peer.http2 else ALPN_IN_MESH,
        sans=exact_sans(settings.subject_alt_names or peer.accounts),
        files=peer.client_certificates,
    )
    if not effective.detected or peer.service.resolution is Resolution.PASSTHROUGH:
        cluster["transport_socket"] = socket
        return
    cluster["transport_socket_matches"] = [
        {
            "name": "tlsMode-istio",
            "match": {"fields": {_TLS_MODE: {"string_value": "istio"}}},
            "transport_socket": socket,
        },
        {"name": "tlsMode-disabled", "match": {}, "transport_socket": _PLAINTEXT},
    ]


def _simple_tls(settings: ClientTLSSettings, peer: Peer) -> dict[str, Any]:
    """TLS of the user's own making, with certificates from files on the proxy or from the control plane."""
    common: dict[str, Any] = {"tls_params": tls_params()}
    if peer.http2:
        common["alpn_protocols"] = ["h2"]
    if settings.mode is ClientTLSMode.MUTUAL:
        common["tls_certificate_sds_secret_configs"] = [_certificate(settings)]
    if not settings.insecure_skip_verify:
        sans = settings.subject_alt_names or (peer.accounts if peer.service.external else ())
        common["combined_validation_context"] = {
            "default_validation_context": {"match_subject_alt_names": exact_sans(sans)} if sans else {},
            "validation_context_sds_secret_config": _root(settings),
        }
    return tls_socket(UpstreamTlsContext(common_tls_context=common, sni=settings.sni))


def upstream_names(effective: Effective | None) -> dict[str, Any]:
    """``UpstreamHttpProtocolOptions``: take SNI and the name to verify from the request where none is written."""
    if effective is None or effective.settings.mode is ClientTLSMode.ISTIO_MUTUAL or effective.settings.sni:
        return {}
    names: dict[str, Any] = {"auto_sni": True}
    if not effective.settings.subject_alt_names and not effective.settings.insecure_skip_verify:
        names["auto_san_validation"] = True
    return names


def _certificate(settings: ClientTLSSettings) -> dict[str, Any]:
    if settings.credential_name:
        return secret_over_ads(_credential(settings.credential_name))
    return agent_secret(f"file-cert:{settings.client_certificate}~{settings.private_key}")


def _root(settings: ClientTLSSettings) -> dict[str, Any]:
    if settings.credential_name:
        return secret_over_ads(_credential(settings.credential_name) + "-cacert")
    return agent_secret(f"file-root:{settings.ca_certificates or 'system'}")


def _credential(name: str) -> str:
    return name if "://" in name else f"kubernetes://{name}"
