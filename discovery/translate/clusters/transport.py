"""How an outbound cluster speaks to its endpoints: plaintext, TLS, or mutual TLS of the mesh, told or found out.

Without a DestinationRule that says otherwise, mutual TLS is used towards every endpoint that announces it
(``transport_socket_matches`` on the endpoint's ``tlsMode``), so a mesh can be joined workload by workload.

Nearly every cluster has such a pair of sockets, and only server name and identities differ. So they are written as
bytes around a context that is serialised once.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, NamedTuple

from discovery.registry.service import Port, Resolution, Service
from discovery.schema.destination_rule import ClientTLSMode, ClientTLSSettings
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.metadata import struct
from discovery.translate.tls import (
    ALPN_IN_MESH,
    ALPN_IN_MESH_H2,
    FileCertificates,
    agent_secret,
    exact_sans,
    secret_over_ads,
    tls_params,
    upstream_mtls,
)
from discovery.wire.envoy import Cluster, RawBuffer, TransportSocket, UpstreamTlsContext, pack, serialize
from discovery.wire.names import sni_name
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["Effective", "Peer", "effective_tls", "transport_bytes", "upstream_names"]

_CONTEXT_URL: Final = "type.googleapis.com/" + UpstreamTlsContext.DESCRIPTOR.full_name
_SOCKET_FIELD: Final = Cluster.DESCRIPTOR.fields_by_name["transport_socket"].number
_MATCHES_FIELD: Final = Cluster.DESCRIPTOR.fields_by_name["transport_socket_matches"].number
_SOCKET_NAME: Final = string_field(1, "envoy.transport_sockets.tls")
_MUTUAL_HEAD: Final = string_field(1, "tlsMode-istio") + bytes_field(2, serialize(struct({"tlsMode": "istio"})))
_PLAINTEXT: Final = TransportSocket(name="envoy.transport_sockets.raw_buffer", typed_config=pack(RawBuffer()))
_PLAINTEXT_MATCH: Final = bytes_field(
    _MATCHES_FIELD,
    string_field(1, "tlsMode-disabled") + bytes_field(2, b"") + bytes_field(3, serialize(_PLAINTEXT)),
)


class Peer(NamedTuple):
    """What is known of the far side before looking at its endpoints."""

    service: Service
    port: Port
    subset: str
    accounts: tuple[str, ...]  # SPIFFE ids that its workloads may have
    mode: MutualTLSMode  # what its namespace asks of callers
    auto_mtls: bool
    http2: bool
    client_certificates: FileCertificates


class Effective(NamedTuple):
    """TLS settings in force."""

    settings: ClientTLSSettings
    detected: bool  # found out by the mesh, not written by a user


_DETECTED: Final = Effective(ClientTLSSettings(mode=ClientTLSMode.ISTIO_MUTUAL), detected=True)


def effective_tls(written: ClientTLSSettings | None, peer: Peer) -> Effective | None:
    """The TLS settings in force; None for plaintext."""
    if written is not None:
        if written.mode is ClientTLSMode.DISABLE:
            return None
        return Effective(written, detected=False)
    if peer.service.external or not peer.auto_mtls or peer.mode is MutualTLSMode.DISABLE:
        return None
    return _DETECTED


def upstream_names(written: ClientTLSSettings | None) -> dict[str, Any]:
    """``UpstreamHttpProtocolOptions``: take SNI and the name to verify from the request where none is written."""
    if written is None or written.sni or written.mode in (ClientTLSMode.DISABLE, ClientTLSMode.ISTIO_MUTUAL):
        return {}
    names: dict[str, Any] = {"auto_sni": True}
    if not written.subject_alt_names and not written.insecure_skip_verify:
        names["auto_san_validation"] = True
    return names


def transport_bytes(effective: Effective | None, peer: Peer) -> bytes:
    """The transport fields of ``Cluster``, to be appended to its other fields."""
    if effective is None:
        return b""
    settings = effective.settings
    if settings.mode is not ClientTLSMode.ISTIO_MUTUAL:
        return bytes_field(_SOCKET_FIELD, _socket(_simple_context(settings, peer), settings.sni))
    common = _mutual_context(
        ALPN_IN_MESH_H2 if peer.http2 else ALPN_IN_MESH,
        settings.subject_alt_names or peer.accounts,
        peer.client_certificates,
    )
    sni = settings.sni or sni_name(peer.service.ref.host, peer.port.number, peer.subset)
    socket = _socket(common, sni)
    if not effective.detected or peer.service.resolution is Resolution.PASSTHROUGH:
        return bytes_field(_SOCKET_FIELD, socket)
    return bytes_field(_MATCHES_FIELD, _MUTUAL_HEAD + bytes_field(3, socket)) + _PLAINTEXT_MATCH


def _socket(context: bytes, sni: str) -> bytes:
    """``core.v3.TransportSocket`` around the bytes of a context without server name."""
    value = context + string_field(2, sni)
    return _SOCKET_NAME + bytes_field(3, string_field(1, _CONTEXT_URL) + bytes_field(2, value))


@lru_cache(maxsize=4096)
def _mutual_context(alpn: tuple[str, ...], sans: tuple[str, ...], files: FileCertificates) -> bytes:
    return serialize(upstream_mtls(alpn=alpn, sans=exact_sans(sans), files=files))


def _simple_context(settings: ClientTLSSettings, peer: Peer) -> bytes:
    """TLS of the user's own making, with certificates from files on the proxy or from the control plane."""
    common: dict[str, Any] = {"tls_params": tls_params()}
    if peer.http2:
        common["alpn_protocols"] = ["h2"]
    if settings.mode is ClientTLSMode.MUTUAL:
        common["tls_certificate_sds_secret_configs"] = [_certificate(settings)]
    if not settings.insecure_skip_verify:
        sans = settings.subject_alt_names or (peer.accounts if peer.service.external else ())
        common["combined_validation_context"] = {
            "default_validation_context": {"match_typed_subject_alt_names": exact_sans(sans)} if sans else {},
            "validation_context_sds_secret_config": _root(settings),
        }
    return serialize(UpstreamTlsContext(common_tls_context=common))


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
