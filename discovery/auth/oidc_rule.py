"""Tokens of an OpenID Connect provider: whose they are, for whom, and where its public keys are to be had.

Spec: https://openid.net/specs/openid-connect-discovery-1_0.html; the rule is JSON, of the fields of Istio's JWTRule
that say which tokens count.
"""

from __future__ import annotations

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from discovery.auth.jwks import JwksError, VerificationKey, load_jwks

__all__ = ["OidcRule", "OidcRuleError", "parse_oidc_rule", "url_fault"]

_WANTED: Final = '{"issuer": "https://...", "jwks_uri": "https://...", "audiences": ["..."]}'


class OidcRuleError(ValueError):
    """A rule that cannot be used; the text says what is wrong and what was wanted."""


class OidcRule(msgspec.Struct, frozen=True, kw_only=True):
    """Which tokens count, and where the keys are that verify them.

    Attributes:
        issuer: what ``iss`` must be, exactly.
        audiences: one of them must be in ``aud``.
        jwks_uri: where the keys are; empty: the issuer's own description tells it.
        keys: those given in the rule itself; nothing is fetched then.
    """

    issuer: str
    audiences: frozenset[str]
    jwks_uri: str = ""
    keys: tuple[VerificationKey, ...] = ()


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issuer: str
    audiences: tuple[str, ...] = ()
    jwks_uri: str = ""
    jwks: str | dict[str, Any] = ""


def parse_oidc_rule(text: str) -> OidcRule:
    """Read a rule; ``jwksUri`` is taken for ``jwks_uri``, as in Istio's API.

    Raises:
        OidcRuleError: it is no such JSON, says not for whom tokens must be, or not where keys are.
    """
    try:
        fields = msgspec.json.decode(text, type=dict[str, Any])
        if "jwksUri" in fields and "jwks_uri" not in fields:
            fields["jwks_uri"] = fields.pop("jwksUri")
        rule = msgspec.convert(fields, _Rule)
    except (msgspec.DecodeError, RecursionError) as error:
        raise OidcRuleError(f"{error}; want {_WANTED}") from error
    fault = _fault(rule)
    if fault:
        raise OidcRuleError(f"{fault}; want {_WANTED}")
    return OidcRule(
        issuer=rule.issuer, audiences=frozenset(rule.audiences), jwks_uri=rule.jwks_uri, keys=_inline(rule.jwks)
    )


def _fault(rule: _Rule) -> str:
    if not rule.issuer:
        return "issuer is empty: tokens of anybody would do"
    if not all(rule.audiences) or not rule.audiences:
        return "audiences are missing: tokens that the issuer made for others would do"
    if rule.jwks and rule.jwks_uri:
        return "jwks and jwks_uri are both given: one of them"
    if rule.jwks:
        return ""
    if rule.jwks_uri:
        fault = url_fault(rule.jwks_uri)
        return fault and f"jwks_uri {fault}"
    fault = url_fault(rule.issuer)
    return fault and f"without jwks_uri the issuer is asked where its keys are, but issuer {fault}"


def _inline(jwks: str | dict[str, Any]) -> tuple[VerificationKey, ...]:
    if not jwks:
        return ()
    try:
        return load_jwks(jwks if isinstance(jwks, str) else msgspec.json.encode(jwks), where="jwks")
    except JwksError as error:
        raise OidcRuleError(str(error)) from error


def url_fault(url: str) -> str:
    """Why keys must not be fetched from there; empty where they may: by HTTPS, or from this very machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        return f"{url!r} is no URL: {error}"
    if parts.username is not None or parts.password is not None:
        return "holds a password, which logs would show"
    if parts.scheme not in {"https", "http"} or not host:
        return f"{url!r} is no URL of the form https://host/path"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"{url!r} is not https: whoever is in between could put in keys of its own"
    return f"{url!r} has a fragment" if parts.fragment else ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
