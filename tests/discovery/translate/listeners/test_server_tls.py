from __future__ import annotations

from typing import Any

from discovery.mesh.settings import MeshTls
from discovery.translate.listeners.server_tls import server_socket
from discovery.translate.listeners.spec import TlsServer
from discovery.translate.tls import DEFAULT_CIPHERS
from discovery.wire.envoy import DownstreamTlsContext

OWN = ("/c/tls.crt", "/c/tls.key", "/c/ca.crt")


def _context(server: TlsServer, mesh: MeshTls = MeshTls()) -> Any:  # noqa: B008 - immutable
    return DownstreamTlsContext.FromString(server_socket(server, ("prod.example",), mesh)["typed_config"]["value"])


def test_mesh_certificates_come_from_the_agent() -> None:
    """The mesh's TLS shows the workload's certificate and asks for one of a known trust domain."""
    context = _context(TlsServer(alpn=("h2",)))
    assert context.require_client_certificate.value
    common = context.common_tls_context
    assert [secret.name for secret in common.tls_certificate_sds_secret_configs] == ["default"]
    assert common.combined_validation_context.validation_context_sds_secret_config.name == "ROOTCA"
    assert "spiffe://prod.example/" in str(common.combined_validation_context.default_validation_context)


def test_own_certificates_come_from_files() -> None:
    """A user's own TLS names files, and asks callers for certificates only in mutual mode."""
    simple = _context(TlsServer(certificates=OWN, mesh=False, mutual=False))
    assert not simple.require_client_certificate.value
    assert not simple.common_tls_context.HasField("combined_validation_context")
    assert simple.common_tls_context.tls_certificate_sds_secret_configs[0].name == "file-cert:/c/tls.crt~/c/tls.key"
    mutual = _context(TlsServer(certificates=OWN, mesh=False, sans=("a.example",)))
    assert mutual.require_client_certificate.value
    validation = mutual.common_tls_context.combined_validation_context
    assert validation.validation_context_sds_secret_config.name == "file-root:/c/ca.crt"
    assert "a.example" in str(validation.default_validation_context)


def test_the_mesh_narrows_what_servers_accept() -> None:
    """Names that Envoy does not know are left out, it would refuse the listener; none left: the usual ones stay."""
    mesh = MeshTls(only_tls13=True, ciphers=("AES128-GCM-SHA256", "no-such"), curves=("P-256", "no-such"))
    params = _context(TlsServer(), mesh).common_tls_context.tls_params
    assert params.TlsProtocol.Name(params.tls_minimum_protocol_version) == "TLSv1_3"
    assert (list(params.cipher_suites), list(params.ecdh_curves)) == (["AES128-GCM-SHA256"], ["P-256"])
    usual = _context(TlsServer(), MeshTls(ciphers=("no-such",))).common_tls_context.tls_params
    assert list(usual.cipher_suites) == list(DEFAULT_CIPHERS)


def test_a_users_own_tls_is_not_the_meshs() -> None:
    """``meshMTLS`` says nothing of TLS outside of the mesh."""
    params = _context(TlsServer(certificates=OWN, mesh=False), MeshTls(only_tls13=True)).common_tls_context.tls_params
    assert params.TlsProtocol.Name(params.tls_minimum_protocol_version) == "TLSv1_2"
