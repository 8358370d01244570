"""Tokens without Kubernetes: a key in a private directory, and tokens as Kubernetes would mount them.

For the embedded mode, the demo and tests. Who can read the directory can be anybody in the mesh; hence its modes.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from certs.files import FileMode, create_private, write_atomically
from certs.keys import KeyKind, dump_key, generate_key, load_key
from discovery.auth.jwks import VerificationKey, encode_base64url
from discovery.auth.jwt import SUBJECT_PREFIX, FixedKeys, JwtRule

__all__ = ["DEV_AUDIENCE", "DEV_ISSUER", "DevIssuer", "DevIssuerError"]

DEV_ISSUER: Final = "pilot-mesh-development"
DEV_AUDIENCE: Final = "istio-ca"
_KEY_FILE: Final = "token-issuer-key.pem"


class DevIssuerError(ValueError):
    """The issuer's directory cannot be used; the text says what to do."""


class DevIssuer:
    """Issues tokens with one ES256 key. Open it with `open`; several processes may share the directory."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        self._key = key
        self._verification = VerificationKey(key_id=_key_id(key), algorithm="ES256", key=key.public_key())

    @classmethod
    def open(cls, directory: Path) -> DevIssuer:
        """The issuer of a directory, made on first use with its key (mode 0600) in it (0700).

        Raises:
            DevIssuerError: others may read the directory, or what it holds is no ES256 key.
            CertsError: the key file cannot be read.
            OSError: the directory cannot be made or written.
        """
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            raise DevIssuerError(f"{directory} is open to others, so they could be anybody in the mesh; chmod 700 it")
        path = directory / _KEY_FILE
        if not path.exists():
            create_private(path, dump_key(generate_key(KeyKind.P256)))  # another process may win; its key is read
        key = load_key(path.read_bytes(), where=str(path))
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise DevIssuerError(f"{path} is not an ECDSA key on P-256; remove it to get a new one")
        return cls(key)

    def rule(self, *, audiences: frozenset[str] = frozenset({DEV_AUDIENCE})) -> JwtRule:
        """What a `JwtAuthenticator` needs to accept the tokens."""
        return JwtRule(issuer=DEV_ISSUER, audiences=audiences, keys=FixedKeys((self._verification,)))

    def jwks(self) -> bytes:
        """The public key as a JWK set, for another control plane that is to accept the tokens."""
        numbers = self._key.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-256",
            "use": "sig",
            "alg": "ES256",
            "kid": self._verification.key_id,
            "x": encode_base64url(numbers.x.to_bytes(32, "big")),
            "y": encode_base64url(numbers.y.to_bytes(32, "big")),
        }
        return msgspec.json.encode({"keys": [jwk]})

    def issue(
        self,
        namespace: str,
        service_account: str,
        *,
        now: datetime,
        lifetime: timedelta = timedelta(hours=24),
        audience: str = DEV_AUDIENCE,
    ) -> str:
        """A token of a service account, valid from now on."""
        issued_s = int(now.timestamp())
        header = {"alg": "ES256", "kid": self._verification.key_id, "typ": "JWT"}
        claims = {
            "iss": DEV_ISSUER,
            "sub": f"{SUBJECT_PREFIX}{namespace}:{service_account}",
            "aud": [audience],
            "iat": issued_s,
            "nbf": issued_s,
            "exp": issued_s + int(lifetime.total_seconds()),
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": service_account}},
        }
        signed = ".".join(encode_base64url(msgspec.json.encode(part)) for part in (header, claims))
        r, s = decode_dss_signature(self._key.sign(signed.encode(), ec.ECDSA(SHA256())))
        return f"{signed}.{encode_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"

    def write_token(self, path: Path, token: str) -> None:
        """Put a token where an agent reads it, replacing the former whole.

        Raises:
            OSError: the directory is missing or not writable.
        """
        write_atomically(path, token.encode(), mode=FileMode.PRIVATE)


def _key_id(key: ec.EllipticCurvePrivateKey) -> str:
    """Half of the hash of the public point: equal in every process that has the key."""
    numbers = key.public_key().public_numbers()
    return hashlib.sha256(f"{numbers.x}.{numbers.y}".encode()).hexdigest()[:32]
