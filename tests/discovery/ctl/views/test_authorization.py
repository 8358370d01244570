"""Policies read back from RBAC filters."""

from __future__ import annotations

from typing import Any

from discovery.ctl.dump import Dump
from discovery.ctl.views.authorization import authorization_table


def rbac(**config: Any) -> dict[str, Any]:
    return {"@type": "type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC", **config}


def test_rules_are_counted_once_however_many_chains_have_them() -> None:
    """By action and policy; a dry run says that it is one."""
    rules: dict[str, Any] = {"policies": {"ns[shop]-policy[web]-rule[0]": {}, "ns[shop]-policy[web]-rule[1]": {}}}
    deny = {"action": "DENY", "policies": {"ns[shop]-policy[no]-rule[0]": {}, "own": {}}}
    listener = {"filterChains": [{"filters": [{"typedConfig": rbac(rules=rules, shadowRules=deny)}]}] * 2}
    kind = "type.googleapis.com/envoy.admin.v3.ListenersConfigDump"
    shown = authorization_table(
        Dump({"configs": [{"@type": kind, "dynamicListeners": [{"activeState": {"listener": listener}}]}]})
    )
    assert [line.split() for line in shown.splitlines()[1:]] == [
        ["ALLOW", "web.shop", "2"],
        ["DENY", "(dry", "run)", "no.shop", "1"],
        ["DENY", "(dry", "run)", "own", "1"],
    ]
