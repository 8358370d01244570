"""RequestAuthentication: which JSON Web Tokens a workload accepts; a request without token is none of its business.

Spec: https://istio.io/latest/docs/reference/config/security/request_authentication/
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec

from discovery.schema.message import Message, NonEmpty, ProtoEnum
from discovery.schema.selector import PolicySelector, PolicyTargetReference, PolicyTargetReferences

__all__ = ["ClaimToHeader", "JWTHeader", "JWTRule", "RequestAuthentication", "TokenPresence"]

_Uri = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]


class JWTHeader(Message, frozen=True, kw_only=True):
    """A header that may hold the token, after ``prefix`` (with its space)."""

    required = ("name",)

    name: NonEmpty = ""
    prefix: str = ""


class ClaimToHeader(Message, frozen=True, kw_only=True):
    """A header for the application with the value of a claim."""

    required = ("header", "claim")

    header: Annotated[str, msgspec.Meta(min_length=1, pattern="^[-_A-Za-z0-9]+$")] = ""
    claim: NonEmpty = ""


class TokenPresence(ProtoEnum):
    """Whether a request must have a token of the rule."""

    OPTIONAL = "OPTIONAL"
    REQUIRED = "REQUIRED"


class JWTRule(Message, frozen=True, kw_only=True):
    """Tokens of one issuer: where their keys are, where they stand in a request, and what the application gets."""

    issuer: NonEmpty = ""
    audiences: tuple[NonEmpty, ...] = ()
    jwks_uri: _Uri = ""
    jwks: str = ""
    from_headers: tuple[JWTHeader, ...] = ()
    from_params: tuple[NonEmpty, ...] = ()
    output_payload_to_header: str = ""
    forward_original_token: bool = False
    output_claim_to_headers: tuple[ClaimToHeader, ...] = ()
    timeout: timedelta | None = None
    from_cookies: tuple[NonEmpty, ...] = ()
    space_delimited_claims: Annotated[tuple[NonEmpty, ...], msgspec.Meta(max_length=64)] = ()
    presence: TokenPresence = TokenPresence.OPTIONAL


class RequestAuthentication(Message, frozen=True, kw_only=True):
    """Token rules of the selected workloads or targets (neither: of the namespace)."""

    selector: PolicySelector | None = None
    target_ref: PolicyTargetReference | None = None
    target_refs: PolicyTargetReferences = ()
    jwt_rules: Annotated[tuple[JWTRule, ...], msgspec.Meta(max_length=4096)] = ()
