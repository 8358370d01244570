"""TLS that listeners terminate."""

from __future__ import annotations

from typing import Any

from discovery.mesh.settings import MeshTls
from discovery.translate.listeners.spec import TlsServer
from discovery.translate.tls import (
    DEFAULT_CIPHERS,
    agent_secret,
    downstream_mtls,
    exact_sans,
    file_secret_names,
    server_params,
    tls_params,
    tls_socket,
    trust_domain_sans,
)
from discovery.wire.envoy import DownstreamTlsContext

__all__ = ["server_socket"]


def server_socket(server: TlsServer, trust_domains: tuple[str, ...], mesh: MeshTls) -> dict[str, Any]:
    """The transport socket of a chain.

    Args:
        server: whose certificates, and whether callers must have some.
        trust_domains: identities of these are accepted as the mesh's.
        mesh: versions and cipher suites within the mesh.
    """
    if server.mesh:
        return downstream_mtls(
            alpn=server.alpn,
            sans=trust_domain_sans(trust_domains),
            files=server.certificates,
            params=server_params(mesh),
        )
    return _users_own(server)


def _users_own(server: TlsServer) -> dict[str, Any]:
    certificate, root = file_secret_names(server.certificates)
    common: dict[str, Any] = {
        "alpn_protocols": server.alpn,
        "tls_params": tls_params(ciphers=DEFAULT_CIPHERS),
        "tls_certificate_sds_secret_configs": [agent_secret(certificate)],
    }
    if server.mutual:
        sans = {"match_typed_subject_alt_names": exact_sans(server.sans)} if server.sans else {}
        common["combined_validation_context"] = {
            "default_validation_context": sans,
            "validation_context_sds_secret_config": agent_secret(root),
        }
    return tls_socket(
        DownstreamTlsContext(common_tls_context=common, require_client_certificate={"value": server.mutual})
    )
