"""Service account tokens, judged by the API server that issued them.

Tokens with an audience (third-party tokens, as kubelets project them for us) must be meant for one of ours. Tokens
without any (first-party tokens of old secrets) cannot say for whom they are; they count only where that was allowed.

Where the API server cannot be asked, nobody unknown is let in, and the caller is told to try again.

Spec: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-review-v1/
"""

from __future__ import annotations

import asyncio
import binascii
import hashlib
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, Protocol

import msgspec
from prometheus_client import CollectorRegistry

from discovery.auth.caller import Caller, CallerKind, Credentials, PodReference
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from discovery.auth.jwks import decode_base64url
from discovery.auth.jwt import bearer_token, subject_identity
from discovery.auth.review_cache import CacheLimits, ReviewCache, Verdict
from discovery.kube.errors import KubeError
from discovery.kube.resources import Resource
from discovery.runtime.clock import Clock
from discovery.runtime.metrics import PlainCounter

__all__ = ["TOKEN_REVIEWS", "ReviewClient", "ReviewMetrics", "ReviewSettings", "TokenReviewAuthenticator"]

TOKEN_REVIEWS: Final = Resource("authentication.k8s.io", "v1", "tokenreviews", namespaced=False)
_MAX_TOKEN_CHARS: Final = 16 * 1024
_CLUSTER: Final = "clusterid"
_POD_NAME: Final = "authentication.kubernetes.io/pod-name"
_POD_UID: Final = "authentication.kubernetes.io/pod-uid"
_NODE_NAME: Final = "authentication.kubernetes.io/node-name"


class ReviewClient(Protocol):
    """Whom to ask; `KubeClient` is one."""

    async def create(self, path: str, body: bytes) -> bytes:
        """POST."""


class ReviewSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens count.

    Attributes:
        audiences: a token must be meant for one of them (TOKEN_AUDIENCES).
        require_audience: whether tokens without any audience are refused (REQUIRE_3P_TOKEN).
        trust_domain: of the identities that tokens give.
        cluster_ids: names of the cluster whose API server is asked; agents say to which they belong.
        timeout_s: how long the API server may take.
        max_waiting: different tokens that are asked about at the same time; more are told to try again.
        cache: what is remembered.
    """

    audiences: tuple[str, ...] = ("istio-ca",)
    require_audience: bool = True
    trust_domain: str
    cluster_ids: frozenset[str] = frozenset()
    timeout_s: float = 10.0
    max_waiting: int = 128
    cache: CacheLimits = CacheLimits()


class _Result(StrEnum):
    CACHED = "cached"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    FAILED = "failed"


class ReviewMetrics:
    """What is counted, on a registry passed in."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.reviews = PlainCounter(
            "pilot_token_reviews_total",
            "Tokens presented, by how they were judged.",
            registry=registry,
            label="result",
            values=tuple(_Result),
        )


class _Claims(msgspec.Struct, frozen=True):
    """Read before anything is verified: to save questions, never to let somebody in."""

    aud: str | tuple[str, ...] = ()
    exp: float | None = None


class _User(msgspec.Struct, frozen=True):
    username: str = ""
    extra: Mapping[str, tuple[str, ...]] | None = None


class _Status(msgspec.Struct, frozen=True):
    authenticated: bool = False
    user: _User = _User()
    audiences: tuple[str, ...] = ()
    error: str = ""


class _Review(msgspec.Struct, frozen=True):
    status: _Status = _Status()


class TokenReviewAuthenticator:
    """Accepts tokens of service accounts on every listener: a token proves its bearer wherever it is shown.

    One task's event loop owns it. Requests with the same token that come together are one question.
    """

    def __init__(
        self, client: ReviewClient, settings: ReviewSettings, *, clock: Clock, metrics: ReviewMetrics | None = None
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._metrics = metrics or ReviewMetrics()
        self._cache = ReviewCache(clock, settings.cache)
        self._pending: dict[bytes, asyncio.Future[Verdict | UndecidedError | None]] = {}

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        """The service account whose token was shown, and the pod that it is bound to.

        Raises:
            UnauthenticatedError: the API server does not vouch for the token, or not for us.
            UndecidedError: it cannot be asked now.
        """
        token = bearer_token(credentials)
        if not token:
            return None
        self._check_cluster(credentials.only(_CLUSTER))
        claims = _peek(token)
        expires_at = _instant(claims.exp)
        if expires_at is not None and expires_at <= self._clock.now():
            raise UnauthenticatedError(f"the token expired at {expires_at:%Y-%m-%dT%H:%M:%SZ}")
        if not claims.aud and self._settings.require_audience:
            raise UnauthenticatedError("the token has no audience (REQUIRE_3P_TOKEN=false would accept it)")
        verdict = await self._verdict(token, bound=bool(claims.aud), expires_at=expires_at)
        if isinstance(verdict, str):
            raise UnauthenticatedError(verdict)
        return verdict

    def _check_cluster(self, claimed: str) -> None:
        known = self._settings.cluster_ids
        if claimed and known and claimed not in known:
            raise UnauthenticatedError(
                f"the agent belongs to cluster {claimed!r}, known are {', '.join(sorted(known))}"
            )

    async def _verdict(self, token: str, *, bound: bool, expires_at: datetime | None) -> Verdict:
        digest = hashlib.sha256(token.encode()).digest()
        while True:
            known = self._cache.get(digest)
            if known is not None:
                self._metrics.reviews.inc(_Result.CACHED)
                return known
            pending = self._pending.get(digest)
            if pending is None:
                return await self._ask(digest, token, bound=bound, expires_at=expires_at)
            answer = await asyncio.shield(pending)
            if isinstance(answer, UndecidedError):
                raise UndecidedError(str(answer))  # an exception of its own: tracebacks would pile up on a shared one
            if answer is not None:
                return answer
            # Who asked was cancelled before the answer; somebody else must ask.

    async def _ask(self, digest: bytes, token: str, *, bound: bool, expires_at: datetime | None) -> Verdict:
        if len(self._pending) >= self._settings.max_waiting:
            self._metrics.reviews.inc(_Result.FAILED)
            raise UndecidedError(f"{len(self._pending)} tokens are being reviewed already")
        answer: Verdict | UndecidedError | None = None
        pending = self._pending[digest] = asyncio.get_running_loop().create_future()
        try:
            verdict = answer = await self._review(token, bound=bound)
            self._cache.put(digest, verdict, expires_at=expires_at)
            self._metrics.reviews.inc(_Result.REFUSED if isinstance(verdict, str) else _Result.ACCEPTED)
        except UndecidedError as error:
            self._metrics.reviews.inc(_Result.FAILED)
            answer = error
            raise
        else:
            return verdict
        finally:
            del self._pending[digest]
            pending.set_result(answer)

    async def _review(self, token: str, *, bound: bool) -> Verdict:
        spec: dict[str, object] = {"token": token}
        if bound:
            spec["audiences"] = self._settings.audiences
        body = {"apiVersion": TOKEN_REVIEWS.api_version, "kind": "TokenReview", "spec": spec}
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                answer = await self._client.create(TOKEN_REVIEWS.collection(), msgspec.json.encode(body))
            status = msgspec.json.decode(answer, type=_Review).status
        except TimeoutError as error:
            raise UndecidedError(f"token review: no answer within {self._settings.timeout_s:g} s") from error
        except (KubeError, msgspec.DecodeError) as error:
            raise UndecidedError(f"token review: {error}") from error
        return self._judge(status, bound=bound)

    def _judge(self, status: _Status, *, bound: bool) -> Verdict:
        if not status.authenticated:
            return f"the API server does not accept the token: {status.error or 'no reason given'}"
        if bound and not {*status.audiences} & {*self._settings.audiences}:
            # An API server that knows no audiences leaves them out, and would vouch for tokens meant for others.
            wanted = ", ".join(self._settings.audiences)
            return f"the token is for {', '.join(status.audiences) or 'nobody in particular'}, want {wanted}"
        try:
            identity = subject_identity(status.user.username, trust_domain=self._settings.trust_domain)
        except UnauthenticatedError as error:
            return str(error)
        extra = status.user.extra or {}
        name, uid, node = (_first(extra, key) for key in (_POD_NAME, _POD_UID, _NODE_NAME))
        pod = PodReference(namespace=identity.namespace, name=name, uid=uid, node=node) if name else None
        return Caller(kind=CallerKind.TOKEN, identities=(identity,), pod=pod)


def _first(extra: Mapping[str, tuple[str, ...]], key: str) -> str:
    values = extra.get(key, ())
    return values[0] if values else ""


def _peek(token: str) -> _Claims:
    """The claims as the bearer states them.

    Raises:
        UnauthenticatedError: this is no token of Kubernetes.
    """
    if len(token) > _MAX_TOKEN_CHARS:
        raise UnauthenticatedError(f"the token is {len(token)} characters long, want at most {_MAX_TOKEN_CHARS}")
    parts = token.split(".")
    if len(parts) != 3:
        raise UnauthenticatedError(f"the token has {len(parts)} parts, want 3")
    try:
        return msgspec.json.decode(decode_base64url(parts[1]), type=_Claims)
    except (msgspec.DecodeError, RecursionError, ValueError, binascii.Error) as error:
        raise UnauthenticatedError("the token's claims are not base64url of JSON") from error


def _instant(exp: float | None) -> datetime | None:
    if exp is None:
        return None
    if not math.isfinite(exp) or not 0 <= exp < 1 << 36:
        raise UnauthenticatedError("the token's expiry is no instant")
    return datetime.fromtimestamp(exp, UTC)
