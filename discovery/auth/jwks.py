"""Public keys of token issuers, and tokens as signed texts: JWK sets and compact JWS, no claims yet.

Only RS256 and ES256: what Kubernetes and our development issuer sign with. The algorithm is fixed by the key, never by
the token, which closes the classic confusions (`none`, an RSA key taken for an HMAC secret).

Spec: RFC 7515 (JWS), 7517 (JWK), 7518 (algorithms), 8725 (best practice)
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from certs.errors import KeyMaterialError
from certs.keys import PublicKey, accept_public_key
from discovery.auth.errors import UnauthenticatedError

__all__ = [
    "JwksError",
    "SignedToken",
    "VerificationKey",
    "decode_base64url",
    "encode_base64url",
    "load_jwks",
    "parse_token",
    "verify_signature",
]

_MAX_TOKEN_CHARS: Final = 16 * 1024
_ES256_BYTES: Final = 64


class JwksError(ValueError):
    """A JWK set cannot be used; the text says what was wanted."""


class VerificationKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key of an issuer.

    Attributes:
        key_id: its `kid`; empty when it has none.
        algorithm: the only `alg` it verifies.
    """

    key_id: str
    algorithm: str
    key: PublicKey


class _Jwk(msgspec.Struct, frozen=True):
    kty: str
    kid: str = ""
    use: str = "sig"
    alg: str = ""
    n: str = ""
    e: str = ""
    crv: str = ""
    x: str = ""
    y: str = ""


class _Jwks(msgspec.Struct, frozen=True):
    keys: tuple[_Jwk, ...]


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str = ""
    crit: tuple[str, ...] | None = None


def decode_base64url(text: str) -> bytes:
    """The bytes of an unpadded base64url text.

    Raises:
        ValueError: it is none.
    """
    if "=" in text or "+" in text or "/" in text:
        raise ValueError("not unpadded base64url")
    return base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)


def encode_base64url(data: bytes) -> str:
    """Unpadded base64url text."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def load_jwks(data: bytes | str, *, where: str) -> tuple[VerificationKey, ...]:
    """The usable signature keys of a JWK set; keys of other kinds and uses are skipped, as RFC 7517 wants.

    Raises:
        JwksError: it is no JWK set, a key of ours is broken or weak, or no key is usable.
    """
    try:
        keys = msgspec.json.decode(data, type=_Jwks).keys
    except (msgspec.DecodeError, RecursionError) as error:  # the latter for depths of a field that is skipped
        raise JwksError(f"{where}: not a JWK set: {error}; want {{'keys': [...]}}") from error
    loaded = []
    for number, jwk in enumerate(keys):
        if jwk.use == "sig" and jwk.alg in {"", _algorithm(jwk)} and _algorithm(jwk):
            loaded.append(_load(jwk, where=f"{where}: keys[{number}]"))
    if not loaded:
        raise JwksError(f"{where}: none of its {len(keys)} keys verifies RS256 or ES256")
    return tuple(loaded)


def _algorithm(jwk: _Jwk) -> str:
    if jwk.kty == "RSA":
        return "RS256"
    return "ES256" if (jwk.kty, jwk.crv) == ("EC", "P-256") else ""


def _load(jwk: _Jwk, *, where: str) -> VerificationKey:
    try:
        if jwk.kty == "RSA":
            raw: Any = rsa.RSAPublicNumbers(_number(jwk.e), _number(jwk.n)).public_key()
        else:
            raw = ec.EllipticCurvePublicNumbers(_number(jwk.x), _number(jwk.y), ec.SECP256R1()).public_key()
        key = accept_public_key(raw, where=where)
    except KeyMaterialError as error:
        raise JwksError(str(error)) from error
    except ValueError as error:
        raise JwksError(f"{where}: the key's numbers are wrong: {error}") from error
    return VerificationKey(key_id=jwk.kid, algorithm=_algorithm(jwk), key=key)


def _number(text: str) -> int:
    return int.from_bytes(decode_base64url(text), "big")


class SignedToken(msgspec.Struct, frozen=True):
    """A token whose signature nobody has verified yet; what it says is what its bearer says.

    Attributes:
        algorithm: ``alg`` of its header.
        key_id: ``kid`` of its header; empty when it has none.
        signed: the bytes that the signature is of.
    """

    algorithm: str
    key_id: str
    payload: bytes
    signed: bytes
    signature: bytes

    def __repr__(self) -> str:
        return f"SignedToken(algorithm={self.algorithm!r}, key_id={self.key_id!r})"


def parse_token(token: str) -> SignedToken:
    """Take a compact JWS apart.

    Raises:
        UnauthenticatedError: it is none, or demands what is not understood here.
    """
    if len(token) > _MAX_TOKEN_CHARS:
        raise UnauthenticatedError(f"the token is {len(token)} characters long, want at most {_MAX_TOKEN_CHARS}")
    parts = token.split(".")
    if len(parts) != 3:
        raise UnauthenticatedError(f"the token has {len(parts)} parts, want 3")
    try:
        header = msgspec.json.decode(decode_base64url(parts[0]), type=_Header)
        payload, signature = decode_base64url(parts[1]), decode_base64url(parts[2])
    except (msgspec.DecodeError, RecursionError, ValueError, binascii.Error) as error:
        raise UnauthenticatedError("the token is not base64url of JSON") from error
    if header.crit is not None:
        raise UnauthenticatedError("the token has critical header fields, none is understood")
    return SignedToken(header.alg, header.kid, payload, f"{parts[0]}.{parts[1]}".encode(), signature)


def verify_signature(token: SignedToken, keys: tuple[VerificationKey, ...]) -> bytes:
    """The payload of a token that one of the keys has signed.

    Raises:
        UnauthenticatedError: none of them did.
    """
    candidates = [key for key in keys if key.algorithm == token.algorithm and token.key_id in {"", key.key_id}]
    if not any(_is_signed(key.key, token.signed, token.signature) for key in candidates):
        raise UnauthenticatedError(f"the token is signed by none of the issuer's {len(keys)} keys")
    return token.payload


def _is_signed(key: PublicKey, signed: bytes, signature: bytes) -> bool:
    try:
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, padding.PKCS1v15(), SHA256())
            return True
        if len(signature) != _ES256_BYTES:
            return False
        half = _ES256_BYTES // 2
        r, s = int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
