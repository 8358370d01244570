"""Bearer tokens of service accounts: who issued it, for whom, until when, and whose it is.

Spec: RFC 7519; the subject is Kubernetes' `system:serviceaccount:<namespace>:<service account>`.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

import msgspec

from certs.errors import SpiffeError
from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, CallerKind, Credentials
from discovery.auth.errors import UnauthenticatedError
from discovery.auth.jwks import VerificationKey, parse_token, verify_signature
from discovery.runtime.clock import Clock

__all__ = [
    "SUBJECT_PREFIX",
    "FixedKeys",
    "JwtAuthenticator",
    "JwtRule",
    "KeySource",
    "bearer_token",
    "subject_identity",
]

SUBJECT_PREFIX: Final = "system:serviceaccount:"
_BEARER: Final = "bearer "
_SKEW_S: Final = 5.0
"""How far the issuer's clock may be ahead of ours; expiry is not forgiven."""


class KeySource(Protocol):
    """Whose keys verify tokens."""

    def keys(self, key_id: str) -> tuple[VerificationKey, ...]:
        """The issuer's keys, for a token that says to be signed with this one; empty: it does not say.

        Raises:
            UndecidedError: they are not known at present.
        """


class FixedKeys(msgspec.Struct, frozen=True):
    """Keys that stay as they are while the program runs."""

    all: tuple[VerificationKey, ...]

    def keys(self, key_id: str) -> tuple[VerificationKey, ...]:
        """All of them."""
        return self.all


class JwtRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens count.

    Attributes:
        issuer: what `iss` must be, exactly.
        audiences: one of them must be in `aud`.
        keys: of the issuer.
    """

    issuer: str
    audiences: frozenset[str]
    keys: KeySource


class _Claims(msgspec.Struct, frozen=True):
    iss: str = ""
    sub: str = ""
    aud: str | tuple[str, ...] = ()
    exp: float | None = None
    nbf: float | None = None


def bearer_token(credentials: Credentials) -> str:
    """The token of `authorization: Bearer <token>`; empty where there is none.

    Raises:
        UnauthenticatedError: the header is given more than once.
    """
    header = credentials.only("authorization")
    return header[len(_BEARER) :].strip() if header[: len(_BEARER)].lower() == _BEARER else ""


class JwtAuthenticator:
    """Accepts tokens of one issuer, on every listener: a token proves its bearer wherever it is shown.

    Args:
        trust_domain: of the identities that tokens give.
    """

    def __init__(self, rule: JwtRule, *, trust_domain: str, clock: Clock) -> None:
        self._rule = rule
        self._trust_domain = trust_domain
        self._clock = clock

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        """The service account whose token was shown.

        Raises:
            UnauthenticatedError: the token is not one of this issuer for us, now, for a service account.
            UndecidedError: it says to be one, and the issuer's keys are not known at present.
        """
        token = bearer_token(credentials)
        if not token:
            return None
        signed = parse_token(token)
        try:
            claims = msgspec.json.decode(signed.payload, type=_Claims)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UnauthenticatedError("the token's claims are not what RFC 7519 wants") from error
        if claims.iss != self._rule.issuer:  # before its key is looked for: others' tokens make nobody fetch keys
            raise UnauthenticatedError(f"the token was issued by {claims.iss!r}, want {self._rule.issuer!r}")
        verify_signature(signed, self._rule.keys.keys(signed.key_id))
        self._check(claims)
        identity = subject_identity(claims.sub, trust_domain=self._trust_domain)
        return Caller(kind=CallerKind.TOKEN, identities=(identity,))

    def _check(self, claims: _Claims) -> None:
        audiences = {claims.aud} if isinstance(claims.aud, str) else {*claims.aud}
        if not audiences & self._rule.audiences:
            wanted = ", ".join(sorted(self._rule.audiences))
            raise UnauthenticatedError(f"the token is for {', '.join(sorted(audiences)) or 'nobody'}, want {wanted}")
        now_s = self._clock.now().timestamp()
        if claims.exp is None or not math.isfinite(claims.exp):
            raise UnauthenticatedError("the token does not say when it expires")
        if now_s >= claims.exp:
            raise UnauthenticatedError(f"the token expired {now_s - claims.exp:.0f} s ago")
        if claims.nbf is not None and now_s + _SKEW_S < claims.nbf:
            raise UnauthenticatedError(f"the token is valid only in {claims.nbf - now_s:.0f} s")


def subject_identity(subject: str, *, trust_domain: str) -> Spiffe:
    """The identity of the service account that Kubernetes calls so.

    Raises:
        UnauthenticatedError: it is none.
    """
    namespace, colon, account = subject.removeprefix(SUBJECT_PREFIX).partition(":")
    if not subject.startswith(SUBJECT_PREFIX) or not colon:
        raise UnauthenticatedError(f"the token's subject is {subject!r}, want {SUBJECT_PREFIX}<namespace>:<name>")
    try:
        return Spiffe(trust_domain=trust_domain, namespace=namespace, service_account=account)
    except SpiffeError as error:
        raise UnauthenticatedError(str(error)) from error
