"""Authorization policies that a proxy enforces, read back from its RBAC filters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table

__all__ = ["authorization_table"]

_NAME: Final = re.compile(
    r"(?:istio-ext-authz-)?ns\[(?P<namespace>[^]]+)\]-policy\[(?P<policy>[^]]+)\]-rule\[(?P<rule>\d+)\]"
)
_RBAC: Final = (
    "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC",
    "type.googleapis.com/envoy.extensions.filters.network.rbac.v3.RBAC",
)


def authorization_table(dump: Dump) -> str:
    """Action, policy and how many rules of it are in force; each rule counts once, however many chains have it."""
    rules = {found for listener in dump.listeners() for config in _filters(listener) for found in _rules(config)}
    counts = Counter((action, policy) for action, policy, _ in rules)
    rows = [(action, policy, str(count)) for (action, policy), count in sorted(counts.items())]
    return render_table(("ACTION", "AUTHORIZATION POLICY", "RULES"), rows)


def _filters(value: Any) -> Iterator[dict[str, Any]]:
    """RBAC configurations anywhere in a listener."""
    if isinstance(value, dict):
        if value.get("@type") in _RBAC:
            yield value
        for item in value.values():
            yield from _filters(item)
    elif isinstance(value, list):
        for item in value:
            yield from _filters(item)


def _rules(config: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    for field in ("rules", "shadowRules"):
        action = config.get(field, {}).get("action", "ALLOW")
        for name in config.get(field, {}).get("policies", {}):
            match = _NAME.fullmatch(name)
            policy = f"{match['policy']}.{match['namespace']}" if match else name
            yield action if field == "rules" else f"{action} (dry run)", policy, match["rule"] if match else ""
