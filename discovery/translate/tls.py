"""TLS contexts of the mesh, as keyword dictionaries for the generated Envoy classes.

Certificates never travel with listeners and clusters: they name secrets (``default``, ``ROOTCA``, ``file-cert:...``)
that the agent serves on its own socket, cluster ``sds-grpc``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from typing import Any, Final

from discovery.mesh.settings import MeshTls
from discovery.wire.envoy import DownstreamTlsContext, Message, UpstreamTlsContext, pack

__all__ = [
    "ALPN_IN_MESH",
    "ALPN_IN_MESH_H2",
    "DEFAULT_CIPHERS",
    "FileCertificates",
    "agent_secret",
    "downstream_mtls",
    "exact_sans",
    "file_secret_names",
    "secret_over_ads",
    "server_params",
    "tls_params",
    "tls_socket",
    "trust_domain_sans",
    "upstream_mtls",
]

FileCertificates = tuple[str, str, str]  # certificate chain, key, root: paths on the proxy's machine

# What a sidecar's client side offers, so that the peer's permissive listener knows mutual TLS of the mesh from the
# application's own TLS.
ALPN_IN_MESH: Final = ("istio-peer-exchange", "istio")
ALPN_IN_MESH_H2: Final = ("istio-peer-exchange", "istio", "h2")

DEFAULT_CIPHERS: Final = (
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
)
_KNOWN_CIPHERS: Final = frozenset(
    (
        *DEFAULT_CIPHERS,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA",
        "ECDHE-ECDSA-AES256-SHA",
        "ECDHE-RSA-AES128-SHA",
        "ECDHE-RSA-AES256-SHA",
        "AES128-SHA",
        "AES256-SHA",
    )
)
_KNOWN_CURVES: Final = frozenset(("P-256", "P-384", "P-521", "X25519", "X25519MLKEM768"))


def agent_secret(name: str) -> dict[str, Any]:
    """An SDS reference to a secret that the agent serves."""
    return {
        "name": name,
        "sds_config": {
            "api_config_source": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
            },
            "initial_fetch_timeout": {},
            "resource_api_version": "V3",
        },
    }


def secret_over_ads(name: str) -> dict[str, Any]:
    """An SDS reference to a secret that the control plane serves (``kubernetes://...``, ``configmap://...``)."""
    return {
        "name": name,
        "sds_config": {"ads": {}, "initial_fetch_timeout": {}, "resource_api_version": "V3"},
    }


def file_secret_names(files: FileCertificates) -> tuple[str, str]:
    """The secret names of certificate and root for a proxy that keeps its certificates in files."""
    chain, key, root = files
    certificate = f"file-cert:{chain}~{key}" if chain and key else "default"
    return certificate, f"file-root:{root}" if root else "ROOTCA"


def exact_sans(names: Iterable[str]) -> list[dict[str, Any]]:
    """Subject alternative names, each to be met exactly; what kind of name it is shows in its form."""
    return [{"san_type": _san_type(name), "matcher": {"exact": name}} for name in names]


def _san_type(name: str) -> str:
    if "://" in name:
        return "URI"
    if "@" in name:
        return "EMAIL"
    try:
        ip_address(name)
    except ValueError:
        return "DNS"
    return "IP_ADDRESS"


def trust_domain_sans(trust_domains: Iterable[str]) -> list[dict[str, Any]]:
    """Any SPIFFE identity of these trust domains, duplicates left out, order kept."""
    return [
        {"san_type": "URI", "matcher": {"prefix": f"spiffe://{domain}/"}} for domain in dict.fromkeys(trust_domains)
    ]


def tls_params(*, minimum: str = "TLSv1_2", ciphers: Sequence[str] = (), curves: Sequence[str] = ()) -> dict[str, Any]:
    """Protocol versions inside the mesh, cipher suites and curves (none named: Envoy's own choice)."""
    return {
        "tls_minimum_protocol_version": minimum,
        "tls_maximum_protocol_version": "TLSv1_3",
        "cipher_suites": list(ciphers),
        "ecdh_curves": list(curves),
    }


def server_params(mesh: MeshTls) -> dict[str, Any]:
    """Parameters of a server within the mesh.

    Names that Envoy does not know are left out: with one of them it would refuse every inbound listener.
    """
    ciphers = [name for name in mesh.ciphers if name in _KNOWN_CIPHERS]
    return tls_params(
        minimum="TLSv1_3" if mesh.only_tls13 else "TLSv1_2",
        ciphers=ciphers or DEFAULT_CIPHERS,
        curves=[name for name in mesh.curves if name in _KNOWN_CURVES],
    )


def _mesh_context(files: FileCertificates, sans: list[dict[str, Any]], alpn: Sequence[str]) -> dict[str, Any]:
    certificate, root = file_secret_names(files)
    validation: dict[str, Any] = {"match_typed_subject_alt_names": sans} if sans else {}
    return {
        "alpn_protocols": list(alpn),
        "tls_certificate_sds_secret_configs": [agent_secret(certificate)],
        "combined_validation_context": {
            "default_validation_context": validation,
            "validation_context_sds_secret_config": agent_secret(root),
        },
    }


def downstream_mtls(
    *,
    alpn: Sequence[str],
    sans: list[dict[str, Any]],
    files: FileCertificates = ("", "", ""),
    params: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A transport socket that accepts mutual TLS of the mesh only."""
    common = _mesh_context(files, sans, alpn) | {"tls_params": params or tls_params(ciphers=DEFAULT_CIPHERS)}
    context = DownstreamTlsContext(common_tls_context=common, require_client_certificate={"value": True})
    return tls_socket(context)


def upstream_mtls(
    *,
    alpn: Sequence[str],
    sans: list[dict[str, Any]],
    files: FileCertificates = ("", "", ""),
    params: dict[str, Any] | None = None,
) -> Message:
    """``UpstreamTlsContext`` of mutual TLS of the mesh, without a server name."""
    common = _mesh_context(files, sans, alpn) | {"tls_params": params or tls_params()}
    context: Message = UpstreamTlsContext(common_tls_context=common)
    return context


def tls_socket(context: Any) -> dict[str, Any]:
    """``core.v3.TransportSocket`` of TLS around a context message."""
    return {"name": "envoy.transport_sockets.tls", "typed_config": pack(context)}
