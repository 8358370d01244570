"""Rules of the TLS that a listener terminates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.schema.server_tls import ServerTLSMode, ServerTLSSettings, TLSProtocol
from discovery.validation.fields import error, warning

__all__ = ["check_server_tls", "has_certificate_fields"]

_PASSING: Final = (ServerTLSMode.PASSTHROUGH, ServerTLSMode.AUTO_PASSTHROUGH)
_CLIENTS_VERIFIED: Final = (ServerTLSMode.MUTUAL, ServerTLSMode.OPTIONAL_MUTUAL)
_OLD: Final = (TLSProtocol.TLSV1_0, TLSProtocol.TLSV1_1)
_CIPHERS: Final = frozenset(
    {
        "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305",
        "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-CHACHA20-POLY1305",
        "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA", "ECDHE-RSA-AES128-SHA", "ECDHE-RSA-AES256-SHA",
        "AES128-GCM-SHA256", "AES256-GCM-SHA384", "AES128-SHA", "AES256-SHA", "DES-CBC3-SHA",
        "ECDHE-PSK-AES128-CBC-SHA", "ECDHE-PSK-AES256-CBC-SHA", "ECDHE-PSK-CHACHA20-POLY1305",
        "PSK-AES128-CBC-SHA", "PSK-AES256-CBC-SHA",
    }
)  # fmt: skip
"""What BoringSSL, and so Envoy, has: https://www.envoyproxy.io/docs/envoy/latest/api-v3/extensions/transport_sockets/tls/v3/common.proto"""


def has_certificate_fields(tls: ServerTLSSettings) -> bool:
    """Whether any field tells of a certificate, a key or an authority."""
    return bool(
        tls.server_certificate
        or tls.private_key
        or tls.ca_certificates
        or tls.ca_crl
        or tls.credential_name
        or tls.credential_names
        or tls.ca_cert_credential_name
        or tls.tls_certificates
    )


def check_server_tls(tls: ServerTLSSettings, at: str) -> Iterator[Problem]:
    """What is wrong with the settings, whatever the protocol of the port."""
    yield from _ciphers(tls, at)
    if tls.mode is ServerTLSMode.ISTIO_MUTUAL:
        if has_certificate_fields(tls):
            yield error(f"{at}.mode", "ISTIO_MUTUAL has the mesh's own certificates", "remove the fields of others")
        return
    if tls.mode in _PASSING:
        if has_certificate_fields(tls):
            yield warning(f"{at}.mode", f"{tls.mode} uses no certificate", "remove the fields, or use mode SIMPLE")
        return
    yield from _sources(tls, at)
    if tls.ca_crl and (tls.credential_name or tls.credential_names):
        yield error(f"{at}.caCrl", "does not go with credentialName", "put the list into the secret as ca.crl")
    if tls.ca_crl and tls.mode is ServerTLSMode.SIMPLE:
        yield error(f"{at}.caCrl", "has no use with mode SIMPLE: no client certificate is asked for", "use MUTUAL")


def _sources(tls: ServerTLSSettings, at: str) -> Iterator[Problem]:
    """One source of certificates; for files, all that the mode needs."""
    ways = {
        "credentialName": bool(tls.credential_name),
        "credentialNames": bool(tls.credential_names),
        "tlsCertificates": bool(tls.tls_certificates),
        "serverCertificate": bool(tls.server_certificate or tls.private_key),
    }
    chosen = [name for name, there in ways.items() if there]
    if len(chosen) > 1:
        yield error(at, f"want one source of certificates, got {' and '.join(chosen)}", "remove the others")
        return
    if tls.credential_name or tls.credential_names:
        return
    files = [
        (f"{at}.tlsCertificates[{i}]", c.server_certificate, c.private_key) for i, c in enumerate(tls.tls_certificates)
    ]
    for place, certificate, key in files or [(at, tls.server_certificate, tls.private_key)]:
        if not certificate:
            yield error(f"{place}.serverCertificate", f"want the path of a certificate with mode {tls.mode}, got none")
        if not key:
            yield error(f"{place}.privateKey", f"want the path of a key with mode {tls.mode}, got none")
    if tls.mode in _CLIENTS_VERIFIED and not (tls.ca_certificates or tls.ca_cert_credential_name):
        yield error(f"{at}.caCertificates", f"want the path of an authority with mode {tls.mode}, got none")


def _ciphers(tls: ServerTLSSettings, at: str) -> Iterator[Problem]:
    for i, cipher in enumerate(tls.cipher_suites):
        if cipher not in _CIPHERS:
            yield warning(f"{at}.cipherSuites[{i}]", f"{cipher!r} is no cipher of Envoy and is left out")
        if cipher in tls.cipher_suites[:i]:
            yield warning(f"{at}.cipherSuites[{i}]", f"{cipher!r} is there twice", "remove one of them")
    if tls.min_protocol_version in _OLD and not tls.cipher_suites:
        hint = "name ciphers that such clients have in cipherSuites"
        yield warning(f"{at}.minProtocolVersion", f"{tls.min_protocol_version} shares no default cipher", hint)
