from __future__ import annotations

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from certs.csr import MAX_CSR_BYTES, build_csr, parse_csr
from certs.errors import CsrError
from tests.kit.certs import key, name, root_ca, spiffe

CSR = build_csr(key(), spiffe())


def test_request_carries_key_and_wish() -> None:
    """What was built is read back: the key to certify, and the identity as a mere wish."""
    request = parse_csr(CSR)
    assert request.public_key == key().public_key()
    assert request.wanted_uris == (str(spiffe()),)


def test_names_are_critical_and_the_subject_empty() -> None:
    """With an empty subject RFC 5280 wants the SAN critical; Istio's agents send it so."""
    request = x509.load_pem_x509_csr(CSR)
    assert request.extensions.get_extension_for_class(x509.SubjectAlternativeName).critical
    assert not list(request.subject)


def _flip_signature(text: bytes) -> bytes:
    der = bytearray(x509.load_pem_x509_csr(text).public_bytes(Encoding.DER))
    der[-1] ^= 1
    return _pem(bytes(der))


def _pem(der: bytes, label: str = "CERTIFICATE REQUEST") -> bytes:
    return f"-----BEGIN {label}-----\n{base64.b64encode(der).decode()}\n-----END {label}-----\n".encode()


def _weak() -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name("weak"))
    return builder.sign(ec.generate_private_key(ec.SECP521R1()), SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "no PEM block"),
        (CSR * 2, "want one CERTIFICATE REQUEST"),
        (root_ca().certificate_pem(), "the first a CERTIFICATE"),
        (_pem(b"\x30\x00"), "does not parse"),
        (_flip_signature(CSR), "not signed by the key it holds"),
        (_weak(), "curve secp521r1"),
        (b" " * MAX_CSR_BYTES + CSR, "want at most"),
    ],
)
def test_bad_requests_are_refused(text: bytes, says: str) -> None:
    """A request that proves nothing gets nothing."""
    with pytest.raises(CsrError, match=says):
        parse_csr(text)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_request_or_an_error(der: bytes) -> None:
    """Nothing a peer sends raises anything but CsrError."""
    for text in (der, _pem(der or b"x")):
        with pytest.raises(CsrError):
            parse_csr(text)
