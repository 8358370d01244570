from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from certs.keys import KeyKind, PrivateKey
from discovery.auth.dev_issuer import DevIssuer
from discovery.auth.errors import UnauthenticatedError
from discovery.auth.jwks import (
    JwksError,
    VerificationKey,
    decode_base64url,
    encode_base64url,
    load_jwks,
    parse_token,
    verify_signature,
)
from tests.kit.certs import NOW, key


def _verified(token: str, keys: tuple[VerificationKey, ...]) -> bytes:
    return verify_signature(parse_token(token), keys)


def _issuer(label: str = "issuer") -> DevIssuer:
    made = key(label)
    assert isinstance(made, ec.EllipticCurvePrivateKey)
    return DevIssuer(made)


KEYS = load_jwks(_issuer().jwks(), where="jwks")
TOKEN = _issuer().issue("shop", "reviews", now=NOW)


def _rsa_jwk(private: PrivateKey, **changes: str) -> dict[str, str]:
    numbers = private.public_key().public_numbers()
    assert isinstance(numbers, rsa.RSAPublicNumbers)
    exponent, modulus = (number.to_bytes(-(-number.bit_length() // 8), "big") for number in (numbers.e, numbers.n))
    return {"kty": "RSA", "kid": "r", "n": encode_base64url(modulus), "e": encode_base64url(exponent), **changes}


def _token(header: dict[str, object], payload: bytes, signature: bytes) -> str:
    return ".".join(map(encode_base64url, (msgspec.json.encode(header), payload, signature)))


def _signed_rs256(header: dict[str, object], payload: bytes = b"{}") -> str:
    private = key("rsa", KeyKind.RSA)
    assert isinstance(private, rsa.RSAPrivateKey)
    signed = f"{encode_base64url(msgspec.json.encode(header))}.{encode_base64url(payload)}".encode()
    return _token(header, payload, private.sign(signed, padding.PKCS1v15(), SHA256()))


RSA_KEYS = load_jwks(msgspec.json.encode({"keys": [_rsa_jwk(key("rsa", KeyKind.RSA))]}), where="jwks")


def test_es256_is_verified() -> None:
    """What our issuer signs, its published keys verify."""
    assert b'"shop"' in _verified(TOKEN, KEYS)


@pytest.mark.parametrize("header", [{"alg": "RS256", "kid": "r"}, {"alg": "RS256"}])
def test_rs256_is_verified(header: dict[str, object]) -> None:
    """As Kubernetes signs; without a key id every key is tried."""
    assert _verified(_signed_rs256(header), RSA_KEYS) == b"{}"


def _flipped(token: str, part: int) -> str:
    parts = [decode_base64url(text) for text in token.split(".")]
    parts[part] = parts[part][:-1] + bytes((parts[part][-1] ^ 1,))
    return ".".join(map(encode_base64url, parts))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b",
        "a.b.c.d",
        "!.!.!",
        TOKEN + "=",
        _flipped(TOKEN, 1),
        _flipped(TOKEN, 2),
        _token({"alg": "none"}, b"{}", b""),
        _token({"alg": "ES256"}, b"{}", b"\0" * 64),
        _token({"alg": "ES256"}, b"{}", b"\0" * 63),
        _token({"alg": "RS256"}, b"{}", b"\0" * 256),
        _issuer("another").issue("shop", "reviews", now=NOW),
        "a" * 20000 + ".b.c",
    ],
)
def test_forgeries_are_refused(token: str) -> None:
    """No signature, a wrong one, another's, another algorithm: all the same."""
    with pytest.raises(UnauthenticatedError):
        _verified(token, KEYS)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "HS256", "kid": "r"},
        {"alg": "none", "kid": "r"},
        {"alg": "ES256", "kid": "r"},
        {"alg": "RS256", "kid": "other"},
        {"alg": "RS256", "kid": "r", "crit": ["x"]},
        {"kid": "r"},
    ],
)
def test_the_key_decides_the_algorithm(header: dict[str, object]) -> None:
    """A good signature under a header that says anything else is refused."""
    with pytest.raises(UnauthenticatedError):
        _verified(_signed_rs256(header), RSA_KEYS)


def test_public_key_is_no_secret() -> None:
    """The old confusion: an HMAC with the public key's text."""
    body = f"{encode_base64url(msgspec.json.encode({'alg': 'HS256', 'kid': 'r'}))}.{encode_base64url(b'{}')}"
    mac = hmac.new(_rsa_jwk(key("rsa", KeyKind.RSA))["n"].encode(), body.encode(), hashlib.sha256).digest()
    with pytest.raises(UnauthenticatedError, match="none of the issuer's"):
        _verified(f"{body}.{encode_base64url(mac)}", RSA_KEYS)


@given(st.text(max_size=40))
def test_any_text_is_refused_or_verified(text: str) -> None:
    """Nothing a caller sends raises anything else."""
    for token in (text, f"{text}.{text}.{text}", TOKEN.replace(".", f".{text}", 1) if text else ""):
        with pytest.raises(UnauthenticatedError):
            _verified(token, KEYS)


def test_foreign_keys_in_a_set_are_skipped() -> None:
    """Encryption keys, other curves and kinds lie beside ours in many sets."""
    keys = [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "OKP", "crv": "Ed25519", "x": "AAAA"},
        {"kty": "EC", "crv": "P-521", "x": "AA", "y": "AA"},
        _rsa_jwk(key("rsa", KeyKind.RSA), use="enc"),
        _rsa_jwk(key("rsa", KeyKind.RSA), alg="PS256"),
        _rsa_jwk(key("rsa", KeyKind.RSA), kid="good", use="sig", alg="RS256"),
    ]
    assert [loaded.key_id for loaded in load_jwks(msgspec.json.encode({"keys": keys}), where="x")] == ["good"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (b"", "not a JWK set"),
        (b'{"keys": 1}', "not a JWK set"),
        (b'{"keys": []}', "none of its 0 keys"),
        (b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "AQ", "y": "AQ"}]}', r"keys\[0\]: the key's numbers"),
        (b'{"keys": [{"kty": "EC", "crv": "P-256", "x": "A=", "y": "AQ"}]}', r"keys\[0\]: the key's numbers"),
        (b'{"keys": [{"kty": "RSA", "n": "gQ", "e": "AQAB"}]}', r"keys\[0\]"),
    ],
)
def test_unusable_sets_are_errors(text: bytes, says: str, tmp_path: Path) -> None:
    """A broken or weak key of ours stops the start; the error names the place."""
    with pytest.raises(JwksError, match=says):
        load_jwks(text, where="jwks.json")


@given(st.binary(max_size=40))
def test_base64url_round_trips(data: bytes) -> None:
    """Bytes survive, without padding."""
    assert decode_base64url(encode_base64url(data)) == data
