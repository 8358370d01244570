"""What the CA grants to whom: pure judgement, before anything is signed.

Names come from the authenticated caller alone. A request proves possession of a key; the names in it, like all else a
stranger writes, count for nothing.
"""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Final

import msgspec

from certs.ca import LeafRequest
from certs.csr import parse_csr
from certs.errors import CsrError
from discovery.auth.caller import Caller
from discovery.wire.istio_ca import CertificateRequest

__all__ = ["IMPERSONATED", "OPAQUE_REFUSAL", "CaPolicy", "Grant", "Refusal", "RefusalKind", "judge_request"]

OPAQUE_REFUSAL: Final = "request authenticate failure"
"""All that an unauthenticated caller is told; Istio's words, which agents' logs are searched for."""

IMPERSONATED: Final = "ImpersonatedIdentity"
"""Key of a request's metadata: the identity that the caller wants to act as."""
_MAX_QUOTED: Final = 200  # of what a stranger wrote; logs are not theirs to fill


class CaPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How long certificates live.

    Attributes:
        default_ttl: for requests that leave it to the CA.
        max_ttl: the longest that may be asked for.
    """

    default_ttl: timedelta = timedelta(hours=24)
    max_ttl: timedelta = timedelta(hours=2160)


class RefusalKind(StrEnum):
    """Whose fault a refusal is; the server turns it into a status and a counter."""

    NO_IDENTITY = "no identity"
    IMPERSONATION = "impersonation"
    BAD_CSR = "bad CSR"
    TTL_TOO_LONG = "TTL too long"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """The request is not granted.

    Attributes:
        reason: for our log; holds neither the CSR nor a token.
        answer: for the caller.
    """

    kind: RefusalKind
    reason: str
    answer: str


class Grant(msgspec.Struct, frozen=True):
    """What to sign."""

    leaf: LeafRequest


def judge_request(caller: Caller, request: CertificateRequest, policy: CaPolicy) -> Grant | Refusal:
    """Grant a leaf with exactly the caller's identities, or say why not.

    The CSR's signature is verified here: with a large RSA key that takes a millisecond, so call it off the event loop.
    """
    if not caller.identities:
        return Refusal(kind=RefusalKind.NO_IDENTITY, reason="the caller has no identity", answer=OPAQUE_REFUSAL)
    if request.metadata.get(IMPERSONATED):
        # The server took it out of the request of a node's proxy that was allowed to; nobody else may.
        wanted = request.metadata[IMPERSONATED][:_MAX_QUOTED]
        reason = f"{caller.identities[0]} asked to be {wanted!r}"
        return Refusal(kind=RefusalKind.IMPERSONATION, reason=reason, answer=OPAQUE_REFUSAL)
    if request.validity_s > policy.max_ttl.total_seconds():
        reason = f"TTL of {request.validity_s} s is above the maximum of {policy.max_ttl.total_seconds():.0f} s"
        return Refusal(kind=RefusalKind.TTL_TOO_LONG, reason=reason, answer=reason)
    try:
        csr = parse_csr(request.csr.encode())
    except CsrError as error:
        return Refusal(kind=RefusalKind.BAD_CSR, reason=str(error), answer=f"unable to parse the CSR: {error.what}")
    lifetime = timedelta(seconds=request.validity_s) if request.validity_s > 0 else policy.default_ttl
    uris = tuple(map(str, caller.identities))
    return Grant(LeafRequest(public_key=csr.public_key, uris=uris, lifetime=lifetime))
