from __future__ import annotations

from functools import partial

import pytest

from agent.capture.binaries import Tool
from agent.capture.iptables import iptables_lines
from agent.capture.iptables_apply import Manner, apply_iptables, clean_iptables
from agent.capture.plan import plan_capture
from agent.capture.processes import CaptureError, Outcome
from agent.capture.rules import Family
from agent.capture.settings import CaptureSettings
from tests.kit.capture import ScriptedRunner

_RULES = plan_capture(CaptureSettings(inbound_ports=("*",)))
_V4 = Tool(family=Family.IPV4, name="iptables", native=True)
_V6 = Tool(family=Family.IPV6, name="ip6tables", native=True)
_ONLY_V4 = frozenset({Family.IPV4})


def _applied() -> Outcome:
    """What iptables-save prints when the plan is in place."""
    lines = iptables_lines(_RULES, Family.IPV4)
    chains = dict.fromkeys(line.chain for line in lines)
    text = ["*nat", *(f":{chain} {'-' if chain.startswith('ISTIO') else 'ACCEPT'} [0:0]" for chain in chains)]
    text += [f"-A {line.chain} {' '.join(line.arguments)}" for line in lines]
    return Outcome(output="\n".join([*text, "COMMIT"]))


def test_rules_as_planned_are_left_alone() -> None:
    """Each was asked for, none was made."""
    runner = ScriptedRunner({"iptables-save": _applied()})
    assert not apply_iptables(_RULES, [_V4, _V6], _ONLY_V4, runner, manner=Manner.KEEP)
    assert runner.inputs == []
    assert len([command for command in runner.commands if " -C " in command]) == len(_RULES)


def test_a_rule_that_is_another_is_found() -> None:
    """Numbers alone do not tell."""
    answers = {"iptables-save": _applied(), "iptables -t nat -C OUTPUT": Outcome(status=1)}
    with pytest.raises(CaptureError, match=r"missing in nat: -A OUTPUT -j ISTIO_OUTPUT.*--reconcile"):
        apply_iptables(_RULES, [_V4], _ONLY_V4, ScriptedRunner(answers), manner=Manner.KEEP)


def test_force_does_not_look() -> None:
    """The kernel's refusal is told; what was there before is not removed."""
    refused = Outcome(status=4, errors="Chain already exists")
    runner = ScriptedRunner({"iptables-save": _applied(), "iptables-restore": refused})
    with pytest.raises(CaptureError, match="Chain already exists"):
        apply_iptables(_RULES, [_V4], _ONLY_V4, runner, manner=Manner.FORCE)
    assert len(runner.inputs) == 1


def test_other_rules_are_replaced_behind_guards() -> None:
    """Guards in, old rules out, new rules in, guards out: whoever looks meanwhile sees no traffic uncaptured."""
    old = Outcome(output="*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_OLD - [0:0]\n-A OUTPUT -j ISTIO_OLD\nCOMMIT\n")
    guards = Outcome(output="*filter\n:INPUT ACCEPT [0:0]\n:ISTIO_GUARD - [0:0]\n-A INPUT -j ISTIO_GUARD\nCOMMIT\n")
    looks = [old, old, Outcome(), _applied(), guards, Outcome()]
    runner = ScriptedRunner({"iptables-save": lambda: looks.pop(0), "nft": Outcome(status=127)})
    assert apply_iptables(_RULES, [_V4], _ONLY_V4, runner, manner=Manner.RECONCILE)
    first_lines = [text.splitlines()[1] for text in runner.inputs]
    assert first_lines == ["-N ISTIO_GUARD", "-D OUTPUT -j ISTIO_OLD", "-N ISTIO_INBOUND", "-D INPUT -j ISTIO_GUARD"]
    assert looks == []


def test_guards_go_when_the_new_rules_are_refused() -> None:
    """A host that drops everything would be worse than one that captures nothing."""
    old = Outcome(output="*nat\n:OUTPUT ACCEPT [0:0]\n:ISTIO_OLD - [0:0]\n-A OUTPUT -j ISTIO_OLD\nCOMMIT\n")
    guards = Outcome(output="*filter\n:INPUT ACCEPT [0:0]\n:ISTIO_GUARD - [0:0]\n-A INPUT -j ISTIO_GUARD\nCOMMIT\n")
    looks = [old, old, Outcome(), Outcome(), guards, Outcome()]
    restores = [Outcome(), Outcome(), Outcome(status=2, errors="refused"), Outcome()]
    runner = ScriptedRunner({"iptables-save": lambda: looks.pop(0), "iptables-restore": lambda: restores.pop(0)})
    with pytest.raises(CaptureError, match="refused"):
        apply_iptables(_RULES, [_V4], _ONLY_V4, runner, manner=Manner.RECONCILE)
    assert runner.inputs[-1].splitlines()[1] == "-D INPUT -j ISTIO_GUARD"


def test_what_fails_in_one_family_is_undone_in_both() -> None:
    """No half of a plan stays."""
    rules = plan_capture(CaptureSettings(ipv6=True))
    looks = [Outcome(), _applied(), _applied(), Outcome()]
    runner = ScriptedRunner(
        {
            "iptables-save": lambda: looks.pop(0),
            "ip6tables-restore": Outcome(status=2, errors="refused"),
            "nft": Outcome(status=127),
        }
    )
    with pytest.raises(CaptureError, match="refused"):
        apply_iptables(rules, [_V4, _V6], frozenset(Family), runner, manner=Manner.KEEP)
    assert "-X ISTIO_OUTPUT" in runner.inputs[-1]


def test_cleaning_where_nothing_is() -> None:
    """Nothing is run but the look."""
    runner = ScriptedRunner()
    assert not clean_iptables(_RULES, _V4, runner)
    assert runner.commands == ["iptables-save"]


def test_hooks_and_tables_left_empty_go_too() -> None:
    """Where the kernel makes them with the first rule; a table that others use stays."""
    bare = Outcome(output="*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
    for listed, deleted in (("table ip nat {\n}", True), ("table ip nat {\n chain x {\n }\n}", False)):
        looks = [_applied(), bare]
        runner = ScriptedRunner({"iptables-save": partial(looks.pop, 0), "nft list": Outcome(output=listed)})
        assert clean_iptables((), _V4, runner)
        assert "iptables -t nat -X OUTPUT" in runner.commands
        assert ("nft delete table ip nat" in runner.commands) is deleted
