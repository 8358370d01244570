from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from certs.errors import KeyMaterialError, PemError
from certs.keys import (
    KeyFormat,
    KeyKind,
    accept_public_key,
    dump_key,
    generate_key,
    load_key,
    require_match,
    signing_hash,
)
from tests.kit.certs import key, root_ca

_RSA = generate_key(KeyKind.RSA)


@pytest.mark.parametrize(
    ("kind", "key_format", "label"),
    [
        (KeyKind.P256, KeyFormat.TRADITIONAL, "EC PRIVATE KEY"),
        (KeyKind.P384, KeyFormat.TRADITIONAL, "EC PRIVATE KEY"),
        (KeyKind.P256, KeyFormat.PKCS8, "PRIVATE KEY"),
        (KeyKind.RSA, KeyFormat.TRADITIONAL, "RSA PRIVATE KEY"),
        (KeyKind.RSA, KeyFormat.PKCS8, "PRIVATE KEY"),
    ],
)
def test_key_survives_its_file(kind: KeyKind, key_format: KeyFormat, label: str) -> None:
    """Every kind is written under its standard label and read back as the same key."""
    made = _RSA if kind is KeyKind.RSA else generate_key(kind)
    text = dump_key(made, key_format=key_format)
    assert text.startswith(f"-----BEGIN {label}-----\n".encode())
    assert load_key(text, where="x").private_numbers() == made.private_numbers()


def test_curve_parameters_before_the_key_are_skipped() -> None:
    """`openssl ecparam -genkey` writes them in front."""
    parameters = b"-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"
    assert load_key(parameters + dump_key(key()), where="x").private_numbers() == key().private_numbers()


def _pem(
    odd: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey, password: bytes = b""
) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return odd.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_pem(ec.generate_private_key(ec.SECP521R1())), "curve secp521r1"),
        (_pem(ed25519.Ed25519PrivateKey.generate()), "kind Ed25519"),
        (_pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "encrypted"),
        (dump_key(key()) * 2, "2 private keys"),
        (root_ca().certificate_pem(), "0 private keys"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "does not parse"),
    ],
)
def test_unusable_keys_are_refused(text: bytes, says: str) -> None:
    """Each refusal says why, and none quotes the key."""
    with pytest.raises(KeyMaterialError, match=says):
        load_key(text, where="key.pem")


def test_no_pem_is_told_as_such() -> None:
    """A text without any block is a PEM error, not a weak key."""
    with pytest.raises(PemError, match="no PEM block"):
        load_key(b"hello", where="key.pem")


@pytest.mark.parametrize("bits", [1024, 2047, 8193, 16384])
def test_rsa_size_is_bounded_both_ways(bits: int) -> None:
    """Too short can be broken; too long lets a stranger burn our time."""
    with pytest.raises(KeyMaterialError, match=f"{bits} bits"):
        generate_key(KeyKind.RSA, rsa_bits=bits)
    modulus = (1 << bits - 1) + 1
    stranger = rsa.RSAPublicNumbers(65537, modulus).public_key()
    with pytest.raises(KeyMaterialError, match=f"{bits} bits"):
        accept_public_key(stranger, where="CSR")


def test_small_exponent_is_refused() -> None:
    """An exponent of 3 makes forgeries easier."""
    modulus = _RSA.public_key().public_numbers().n  # type: ignore[union-attr]  # it is RSA
    with pytest.raises(KeyMaterialError, match="exponent"):
        accept_public_key(rsa.RSAPublicNumbers(3, modulus).public_key(), where="CSR")


def test_key_of_another_certificate_is_refused() -> None:
    """A key and a certificate are used together only if they belong together."""
    require_match(key("root"), root_ca("root").certificate, where="x")
    with pytest.raises(KeyMaterialError, match="not the one of the certificate"):
        require_match(key("other"), root_ca("root").certificate, where="x")


def test_hash_fits_the_key() -> None:
    """P-384 signs SHA-384, everything else SHA-256."""
    assert [signing_hash(made).name for made in (key(), _RSA, key("big", KeyKind.P384))] == [
        "sha256",
        "sha256",
        "sha384",
    ]
