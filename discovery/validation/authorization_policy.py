"""Rules of AuthorizationPolicy. A rule that says less than its owner thinks lets strangers in, so empty parts are
errors; those of paths and conditions are in ``authorization_rule``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from discovery.schema.authorization_policy import AuthorizationAction, AuthorizationPolicy, AuthorizationRule
from discovery.schema.meta import Object
from discovery.schema.proto_json import Problem
from discovery.validation.authorization_rule import check_rule, needs_http
from discovery.validation.fields import error, warning
from discovery.validation.policy_target import check_policy_target

__all__ = ["check_authorization_policy", "check_dry_run"]

DRY_RUN: Final = "istio.io/dry-run"
_BOOLEANS: Final = frozenset({"1", "t", "T", "TRUE", "true", "True", "0", "f", "F", "FALSE", "false", "False"})
_PEER_FIELDS: Final = (
    "principals",
    "not_principals",
    "request_principals",
    "not_request_principals",
    "namespaces",
    "not_namespaces",
    "service_accounts",
    "not_service_accounts",
    "trust_domains",
    "not_trust_domains",
)
_PEER_KEYS: Final = (
    "source.namespace",
    "source.serviceAccount",
    "source.trustDomain",
    "source.principal",
    "request.auth.",
)


def check_authorization_policy(spec: AuthorizationPolicy) -> Iterator[Problem]:
    """What is wrong with the policy."""
    yield from check_policy_target(spec.selector, spec.target_refs, spec.target_ref)
    custom = spec.action is AuthorizationAction.CUSTOM
    if spec.provider is not None and not custom:
        yield error("spec.provider", f"does not go with action {spec.action}", "it is for action CUSTOM")
    if custom and (spec.provider is None or not spec.provider.name):
        yield error("spec.provider.name", "want the name of an extension provider with action CUSTOM, got none")
    if custom and not spec.rules:
        yield error(
            "spec.rules", "want at least one rule with action CUSTOM, got none", "rules: [{}] matches everything"
        )
    if spec.action is AuthorizationAction.DENY and not spec.rules:
        yield error("spec.rules", "want at least one rule with action DENY, got none", "rules: [{}] matches everything")
    for i, rule in enumerate(spec.rules):
        at = f"spec.rules[{i}]"
        yield from check_rule(rule, at)
        if custom:
            yield from _about_peers(rule, at)
        if spec.action is AuthorizationAction.DENY and needs_http(rule):
            hint = "name the ports in operation.ports"
            yield warning(at, "has HTTP attributes only, so all traffic to TCP ports is denied", hint)


def _about_peers(rule: AuthorizationRule, at: str) -> Iterator[Problem]:
    """An external authorizer is asked before tokens and certificates have been looked at."""
    for i, caller in enumerate(rule.from_):
        used = [name for name in _PEER_FIELDS if caller.source is not None and getattr(caller.source, name)]
        if used:
            yield error(f"{at}.from[{i}].source", "identities are not possible with action CUSTOM", "use addresses")
    for i, condition in enumerate(rule.when):
        if condition.key.startswith(_PEER_KEYS):
            yield error(f"{at}.when[{i}].key", f"{condition.key} is not possible with action CUSTOM")


def check_dry_run(obj: Object) -> Iterator[Problem]:
    """The annotation that turns a policy into a trial."""
    value = obj.meta.annotations.get(DRY_RUN)
    if value is None:
        return
    at = f"metadata.annotations[{DRY_RUN!r}]"
    if value not in _BOOLEANS:
        yield error(at, f"want true or false, got {value!r}")
    spec: AuthorizationPolicy = obj.spec
    if spec.action not in (AuthorizationAction.ALLOW, AuthorizationAction.DENY):
        yield error(at, f"is not possible with action {spec.action}", "it is for ALLOW and DENY")
