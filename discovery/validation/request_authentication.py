"""Rules of RequestAuthentication."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec

from discovery.schema.proto_json import Problem
from discovery.schema.request_authentication import JWTRule, RequestAuthentication
from discovery.validation.fields import check_duration, error, warning
from discovery.validation.policy_target import check_policy_target

__all__ = ["check_request_authentication"]

_PRIVATE_MEMBERS = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518, 6.2.2, 6.3.2 and 6.4.1


def check_request_authentication(spec: RequestAuthentication) -> Iterator[Problem]:
    """What is wrong with the policy."""
    yield from check_policy_target(spec.selector, spec.target_refs, spec.target_ref)
    for i, rule in enumerate(spec.jwt_rules):
        yield from _rule(rule, f"spec.jwtRules[{i}]")


def _rule(rule: JWTRule, at: str) -> Iterator[Problem]:
    if not rule.issuer and not rule.jwks_uri and not rule.jwks:
        yield error(f"{at}.issuer", "want an issuer, or where the keys are, got none")
    if rule.jwks_uri and rule.jwks:
        yield error(f"{at}.jwks", "want jwks or jwksUri, got both", "remove one of them")
    if rule.jwks_uri and not _is_web_address(rule.jwks_uri):
        yield error(f"{at}.jwksUri", f"want a URL that begins with http:// or https://, got {rule.jwks_uri!r}")
    if rule.jwks:
        yield from _key_set(rule.jwks, f"{at}.jwks")
    yield from check_duration(rule.timeout, f"{at}.timeout")


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0


class _Key(msgspec.Struct, frozen=True):
    kty: str


class _KeySet(msgspec.Struct, frozen=True):
    keys: tuple[_Key, ...]


def _key_set(text: str, at: str) -> Iterator[Problem]:
    """A JSON Web Key Set (RFC 7517), which is public: a private key in it is one that everybody knows."""
    try:
        msgspec.json.decode(text, type=_KeySet)
        raw = msgspec.json.decode(text)
    except msgspec.DecodeError as fault:
        yield error(at, f"want a JSON Web Key Set: {fault}")
        return
    for key in raw["keys"]:
        if _PRIVATE_MEMBERS & key.keys():
            yield warning(at, "holds a private or symmetric key", "publish the public key only, and replace this one")
