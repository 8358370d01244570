"""Certificate signing requests: built by agents, checked by the CA.

A request proves one thing, that its sender holds the private key. The names in it are a wish: the CA writes the names
of the authenticated caller instead. They are kept here only so that a refusal can tell them.
"""

from __future__ import annotations

from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from certs import pem
from certs.errors import CertsError, CsrError
from certs.keys import PrivateKey, PublicKey, accept_public_key, signing_hash
from certs.spiffe import Spiffe

__all__ = ["MAX_CSR_BYTES", "SignedRequest", "build_csr", "parse_csr"]

MAX_CSR_BYTES: Final = 64 * 1024
_LABELS: Final = frozenset({"CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"})


class SignedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request whose signature was checked with the key in it.

    Attributes:
        public_key: the key to certify.
        wanted_uris: the URI names asked for, in order; never to be trusted.
    """

    public_key: PublicKey
    wanted_uris: tuple[str, ...]


def build_csr(key: PrivateKey, identity: Spiffe) -> bytes:
    """A PEM request for `identity`: empty subject and, therefore critical, one URI name (RFC 5280, 4.2.1.6)."""
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([]))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(str(identity))]), critical=True)
        .sign(key, signing_hash(key))
    )
    return request.public_bytes(Encoding.PEM)


def parse_csr(data: bytes, *, where: str = "CSR") -> SignedRequest:
    """Read and check a PEM request from a stranger.

    Raises:
        CsrError: too long, not exactly one request, unreadable, not signed by its own key, or the key is weak.
    """
    if len(data) > MAX_CSR_BYTES:
        raise CsrError(where, f"{len(data)} bytes long, want at most {MAX_CSR_BYTES}")
    try:
        blocks = pem.split(data, where=where)
    except CertsError as error:
        raise CsrError(error.where, error.what) from error
    if len(blocks) != 1 or blocks[0].label not in _LABELS:
        raise CsrError(
            where, f"holds {len(blocks)} PEM blocks, the first a {blocks[0].label[:40]}; want one CERTIFICATE REQUEST"
        )
    return _check(blocks[0].der, where=where)


def _check(der: bytes, *, where: str) -> SignedRequest:
    try:
        request = x509.load_der_x509_csr(der)
        key = request.public_key()
        signed = request.is_signature_valid
        uris = _wanted_uris(request)
    except pem.PARSE_ERRORS as error:
        raise CsrError(where, f"does not parse ({type(error).__name__})") from error
    if not signed:
        raise CsrError(where, "is not signed by the key it holds")
    try:
        return SignedRequest(public_key=accept_public_key(key, where=where), wanted_uris=uris)
    except CertsError as error:
        raise CsrError(error.where, error.what) from error


def _wanted_uris(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(names.get_values_for_type(x509.UniformResourceIdentifier))
