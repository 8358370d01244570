"""The parts of an AuthorizationPolicy's rule: callers, operations, conditions."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from discovery.schema.authorization_policy import AuthorizationRule, Condition, Operation, Source
from discovery.schema.proto_json import Problem
from discovery.validation.fields import error

__all__ = ["check_rule", "needs_http"]

_KEYS: Final = frozenset(
    {
        "source.ip", "remote.ip", "source.namespace", "source.serviceAccount", "source.principal", "source.trustDomain",
        "request.auth.principal", "request.auth.audiences", "request.auth.presenter",
        "destination.ip", "destination.port", "connection.sni",
    }
)  # fmt: skip
_KEYS_WITH_NAME: Final = re.compile(r"(?:request\.headers|request\.auth\.claims)(?:\[[^\[\]]+\])+\Z")
_FILTER_KEY: Final = re.compile(r"experimental\.envoy\.filters\.[^\[\]]+(?:\[[^\[\]]*\])?\Z")
_TEMPLATE_PART: Final = re.compile(r"(?:\{\*\}|\{\*\*\}|[A-Za-z0-9\-._~%!$&'()+,;:@=]+)\Z")


def check_rule(rule: AuthorizationRule, at: str) -> Iterator[Problem]:
    """Each part says something, and what it says can be."""
    for i, caller in enumerate(rule.from_):
        yield from _source(caller.source, f"{at}.from[{i}].source")
    for i, target in enumerate(rule.to):
        yield from _operation(target.operation, f"{at}.to[{i}].operation")
    for i, condition in enumerate(rule.when):
        yield from _condition(condition, f"{at}.when[{i}]")


def needs_http(rule: AuthorizationRule) -> bool:
    """Whether nothing in the rule can be told of a plain TCP connection."""
    sources = [caller.source for caller in rule.from_ if caller.source is not None]
    operations = [target.operation for target in rule.to if target.operation is not None]
    http = (
        any(source.request_principals or source.not_request_principals for source in sources)
        or any(_http_fields(operation) for operation in operations)
        or any(condition.key.startswith("request.") for condition in rule.when)
    )
    layer4 = (
        any(_set_fields(source) - {"request_principals", "not_request_principals"} for source in sources)
        or any(operation.ports or operation.not_ports for operation in operations)
        or any(not condition.key.startswith("request.") for condition in rule.when)
    )
    return http and not layer4


def _http_fields(operation: Operation) -> set[str]:
    return _set_fields(operation) - {"ports", "not_ports"}


def _set_fields(part: msgspec.Struct) -> set[str]:
    return {name for name in part.__struct_fields__ if getattr(part, name)}


def _each(part: msgspec.Struct, at: str) -> Iterator[tuple[str, str, Sequence[str]]]:
    """Attribute, place and values of the fields that are set."""
    for attribute, name in zip(part.__struct_fields__, part.__struct_encode_fields__, strict=True):
        if getattr(part, attribute):
            yield attribute.removeprefix("not_"), f"{at}.{name}", getattr(part, attribute)


def _source(source: Source | None, at: str) -> Iterator[Problem]:
    if source is None or not _set_fields(source):
        yield error(at, "want at least one field, got none", "leave out 'from' to mean every caller")
        return
    if source.service_accounts or source.not_service_accounts:
        others = source.principals or source.not_principals or source.namespaces or source.not_namespaces
        if others:
            yield error(f"{at}.serviceAccounts", "does not go with principals or namespaces", "remove one of them")
    for attribute, place, values in _each(source, at):
        check = _ip_block if attribute in ("ip_blocks", "remote_ip_blocks") else None
        check = _service_account if attribute == "service_accounts" else check
        yield from _values(values, place, check)


def _operation(operation: Operation | None, at: str) -> Iterator[Problem]:
    if operation is None or not _set_fields(operation):
        yield error(at, "want at least one field, got none", "leave out 'to' to mean every operation")
        return
    for attribute, place, values in _each(operation, at):
        yield from _values(values, place, {"ports": _port, "paths": _path}.get(attribute))


def _condition(condition: Condition, at: str) -> Iterator[Problem]:
    key = condition.key
    known = key in _KEYS or _KEYS_WITH_NAME.match(key) is not None or _FILTER_KEY.match(key) is not None
    if not known:
        yield error(f"{at}.key", f"want an attribute such as source.ip or request.headers[x-name], got {key!r}")
    if not condition.values and not condition.not_values:
        yield error(f"{at}.values", "want values or notValues, got none")
    checks = {
        "source.ip": _ip_block,
        "remote.ip": _ip_block,
        "destination.ip": _ip_block,
        "destination.port": _port,
        "source.serviceAccount": _service_account,
    }
    yield from _values(condition.values, f"{at}.values", checks.get(key))
    yield from _values(condition.not_values, f"{at}.notValues", checks.get(key))


def _values(values: Sequence[str], at: str, check: Callable[[str], str] | None) -> Iterator[Problem]:
    for i, value in enumerate(values):
        fault = "a value that is not empty" if not value else check(value) if check is not None else ""
        if fault:
            yield error(f"{at}[{i}]", f"want {fault}, got {value!r}")


def _ip_block(value: str) -> str:
    """What was wanted; empty if it is that."""
    try:
        ipaddress.ip_network(value, strict=False)
    except ValueError:
        return "an IP address or a CIDR range"
    return ""


def _port(value: str) -> str:
    good = value.isascii() and value.isdecimal() and 0 < int(value[:6]) < 65536 and len(value) < 6
    return "" if good else "a port from 1 to 65535"


def _service_account(value: str) -> str:
    parts = value.split("/")
    return (
        "" if len(parts) <= 2 and all(parts) and "*" not in value else "a service account or namespace/service account"
    )


def _path(value: str) -> str:
    """Paths with braces are templates: whole segments ``{*}``, and ``{**}`` as the last of them."""
    if "{" not in value and "}" not in value:
        return ""
    parts = value.removeprefix("/").split("/")
    good = all(_TEMPLATE_PART.match(part) for part in parts) and value.startswith("/")
    after = [part for part in parts[parts.index("{**}") + 1 :] if part.startswith("{")] if "{**}" in parts else []
    return "" if good and not after else "a path, or a template such as /a/{*}/b or /a/{**}"
