"""Private and public keys: made, read, written, and judged for strength.

Accepted are what Envoy takes for a workload: RSA of 2048 to 8192 bits and ECDSA on P-256 or P-384. Larger RSA keys are
refused because a single signature with them costs seconds, and the key's owner chooses the size.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, TypeAlias

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from certs import pem
from certs.errors import KeyMaterialError

__all__ = [
    "MAX_RSA_BITS",
    "MIN_RSA_BITS",
    "KeyFormat",
    "KeyKind",
    "PrivateKey",
    "PublicKey",
    "accept_public_key",
    "dump_key",
    "generate_key",
    "load_key",
    "require_match",
    "signing_hash",
]

MIN_RSA_BITS: Final = 2048
MAX_RSA_BITS: Final = 8192

PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey
PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey


class KeyKind(StrEnum):
    """What to generate."""

    RSA = "RSA"
    P256 = "P256"
    P384 = "P384"


class KeyFormat(StrEnum):
    """How a private key is written."""

    TRADITIONAL = "traditional"
    """`RSA PRIVATE KEY` (PKCS#1) or `EC PRIVATE KEY` (SEC 1)."""
    PKCS8 = "pkcs8"
    """`PRIVATE KEY`."""


_FORMATS: Final = {
    KeyFormat.TRADITIONAL: PrivateFormat.TraditionalOpenSSL,
    KeyFormat.PKCS8: PrivateFormat.PKCS8,
}


def generate_key(kind: KeyKind = KeyKind.P256, *, rsa_bits: int = MIN_RSA_BITS) -> PrivateKey:
    """A new private key from the system's randomness. RSA takes tenths of a second, the curves microseconds.

    Raises:
        KeyMaterialError: `rsa_bits` is out of range.
    """
    match kind:
        case KeyKind.P256:
            return ec.generate_private_key(ec.SECP256R1())
        case KeyKind.P384:
            return ec.generate_private_key(ec.SECP384R1())
        case KeyKind.RSA:
            _check_rsa_bits(rsa_bits, where="new key")
            return rsa.generate_private_key(public_exponent=65537, key_size=rsa_bits)


def load_key(data: bytes, *, where: str) -> PrivateKey:
    """Read the one unencrypted private key in a PEM text: PKCS#1, SEC 1 or PKCS#8.

    Raises:
        PemError: the text is no PEM.
        KeyMaterialError: there is no or more than one key, or it is encrypted, unreadable, weak or of another kind.
    """
    blocks = [block for block in pem.split(data, where=where) if block.label.endswith("PRIVATE KEY")]
    if len(blocks) != 1:  # `EC PARAMETERS` may stand before the key; two keys would be a guess
        raise KeyMaterialError(where, f"{len(blocks)} private keys found, want 1")
    if "ENCRYPTED" in blocks[0].label or b"Proc-Type:" in blocks[0].text:
        raise KeyMaterialError(where, "the private key is encrypted", hint="store it decrypted, in a file of mode 0600")
    try:
        key = load_pem_private_key(blocks[0].text, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        # The parser's text is left out: it may quote what it read.
        raise KeyMaterialError(where, "the private key does not parse") from error
    accept_public_key(key.public_key(), where=where)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):  # accept_public_key has seen to it
        raise KeyMaterialError(where, f"a {type(key).__name__} cannot be used")
    return key


def dump_key(key: PrivateKey, *, key_format: KeyFormat = KeyFormat.TRADITIONAL) -> bytes:
    """PEM text, unencrypted, ending in a newline."""
    return key.private_bytes(Encoding.PEM, _FORMATS[key_format], NoEncryption())


def accept_public_key(key: PublicKeyTypes, *, where: str) -> PublicKey:
    """The same key, once it is known to be of a kind and strength we use.

    Raises:
        KeyMaterialError: it is not.
    """
    if isinstance(key, rsa.RSAPublicKey):
        _check_rsa_bits(key.key_size, where=where)
        if key.public_numbers().e < 65537:
            raise KeyMaterialError(where, "the RSA key's public exponent is below 65537")
        return key
    if isinstance(key, ec.EllipticCurvePublicKey):
        if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
            raise KeyMaterialError(where, f"a key on curve {key.curve.name}, want P-256 or P-384")
        return key
    kind = type(key).__name__.removesuffix("PublicKey")
    raise KeyMaterialError(where, f"a key of kind {kind}, want RSA, or ECDSA on P-256 or P-384")


def _check_rsa_bits(bits: int, *, where: str) -> None:
    if not MIN_RSA_BITS <= bits <= MAX_RSA_BITS:
        raise KeyMaterialError(where, f"an RSA key of {bits} bits, want {MIN_RSA_BITS} to {MAX_RSA_BITS}")


def require_match(key: PrivateKey, certificate: x509.Certificate, *, where: str) -> None:
    """Return if the certificate was issued for this key.

    Raises:
        KeyMaterialError: it was issued for another one.
    """
    if _spki(key.public_key()) != _spki(certificate.public_key()):
        raise KeyMaterialError(
            where, "the private key is not the one of the certificate", hint="replace both files together"
        )


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def signing_hash(key: PrivateKey) -> SHA256 | SHA384:
    """The hash to sign with: SHA-384 with P-384, else SHA-256."""
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1):
        return SHA384()
    return SHA256()
