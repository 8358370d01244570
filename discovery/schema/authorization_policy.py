"""AuthorizationPolicy: which requests and connections a workload takes.

Spec: https://istio.io/latest/docs/reference/config/security/authorization-policy/
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from discovery.schema.message import Message, ProtoEnum
from discovery.schema.selector import PolicySelector, PolicyTargetReference, PolicyTargetReferences

__all__ = [
    "AuthorizationAction",
    "AuthorizationPolicy",
    "AuthorizationRule",
    "Condition",
    "ExtensionProviderRef",
    "Operation",
    "RuleFrom",
    "RuleTo",
    "Source",
]

_ServiceAccounts = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=320)], ...], msgspec.Meta(max_length=16)]


class Source(Message, frozen=True, kw_only=True):
    """Who calls: all fields that are set must hold, and of a field's values one."""

    principals: tuple[str, ...] = ()
    not_principals: tuple[str, ...] = ()
    request_principals: tuple[str, ...] = ()
    not_request_principals: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    not_namespaces: tuple[str, ...] = ()
    service_accounts: _ServiceAccounts = ()
    not_service_accounts: _ServiceAccounts = ()
    trust_domains: tuple[str, ...] = ()
    not_trust_domains: tuple[str, ...] = ()
    ip_blocks: tuple[str, ...] = ()
    not_ip_blocks: tuple[str, ...] = ()
    remote_ip_blocks: tuple[str, ...] = ()
    not_remote_ip_blocks: tuple[str, ...] = ()


class Operation(Message, frozen=True, kw_only=True):
    """What is called: all fields that are set must hold, and of a field's values one."""

    hosts: tuple[str, ...] = ()
    not_hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    not_ports: tuple[str, ...] = ()
    methods: tuple[str, ...] = ()
    not_methods: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    not_paths: tuple[str, ...] = ()


class RuleFrom(Message, frozen=True, kw_only=True):
    """One alternative of callers."""

    source: Source | None = None


class RuleTo(Message, frozen=True, kw_only=True):
    """One alternative of operations."""

    operation: Operation | None = None


class Condition(Message, frozen=True, kw_only=True):
    """An attribute such as ``request.headers[x-token]`` that must, or must not, have one of the values."""

    required = ("key",)

    key: str = ""
    values: tuple[str, ...] = ()
    not_values: tuple[str, ...] = ()


class AuthorizationRule(Message, frozen=True, kw_only=True):
    """Matches where one of ``from``, one of ``to`` and all of ``when`` do; what is empty matches everything."""

    from_: Annotated[tuple[RuleFrom, ...], msgspec.Meta(max_length=512)] = msgspec.field(name="from", default=())
    to: tuple[RuleTo, ...] = ()
    when: tuple[Condition, ...] = ()


class AuthorizationAction(ProtoEnum):
    """What happens to requests that match a rule."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    AUDIT = "AUDIT"
    CUSTOM = "CUSTOM"


class ExtensionProviderRef(Message, frozen=True, kw_only=True):
    """The external authorizer of the mesh configuration that decides."""

    name: str = ""


class AuthorizationPolicy(Message, frozen=True, kw_only=True):
    """Rules for the selected workloads or targets (neither: for the namespace); ALLOW without rules denies all."""

    selector: PolicySelector | None = None
    target_ref: PolicyTargetReference | None = None
    target_refs: PolicyTargetReferences = ()
    rules: Annotated[tuple[AuthorizationRule, ...], msgspec.Meta(max_length=512)] = ()
    action: AuthorizationAction = AuthorizationAction.ALLOW
    provider: ExtensionProviderRef | None = None
