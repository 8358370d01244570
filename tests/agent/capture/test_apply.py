from __future__ import annotations

import pytest

from agent.capture.apply import apply_capture, clean_capture
from agent.capture.processes import CaptureError, Outcome
from agent.capture.rules import Family
from agent.capture.settings import ApplySettings, HostFacts
from tests.kit.capture import ScriptedRunner, capture_settings

_WORKING = {
    "iptables-nft --version": Outcome(output="iptables v1.8.9 (nf_tables)"),
    "ip6tables-nft --version": Outcome(output="ip6tables v1.8.9 (nf_tables)"),
}
_NO_IPV6 = {"ip6tables": Outcome(status=127, errors="not found")}


def test_routes_come_before_the_rules_that_need_them() -> None:
    """Otherwise marked packets would go nowhere for a moment."""
    runner = ScriptedRunner(_WORKING)
    apply_capture(capture_settings(mode="TPROXY", inbound_ports="*"), ApplySettings(), runner)
    route = runner.commands.index("ip -4 rule add fwmark 1337 lookup 133")
    assert route < runner.commands.index("iptables-nft-restore --noflush")


def test_a_host_without_ip6tables_is_fine_until_ipv6_is_in_use() -> None:
    """Then nothing is applied, for half of the traffic would pass uncaptured."""
    apply_capture(capture_settings(), ApplySettings(), ScriptedRunner({**_WORKING, **_NO_IPV6}))
    runner = ScriptedRunner({**_WORKING, **_NO_IPV6})
    with pytest.raises(CaptureError, match="no usable ip6tables"):
        apply_capture(capture_settings(HostFacts(families=frozenset({Family.IPV6}))), ApplySettings(), runner)
    assert runner.inputs == []


def test_nftables_runs_no_iptables() -> None:
    """One transaction."""
    runner = ScriptedRunner({"iptables": Outcome(status=127)})
    apply_capture(capture_settings(), ApplySettings(native_nftables=True), runner)
    assert {command.split()[0] for command in runner.commands} == {"nft"}


def test_dry_run_needs_no_tools() -> None:
    """It tells the plain names."""
    runner = ScriptedRunner()
    apply_capture(capture_settings(), ApplySettings(dry_run=True), runner)
    assert runner.commands[:3] == ["iptables-save", "ip6tables-save", "iptables-restore --noflush"]


def test_cleaning_goes_on_after_a_refusal() -> None:
    """And tells all of them at the end."""
    runner = ScriptedRunner({**_WORKING, "iptables-nft-save": Outcome(status=4, errors="one")})
    runner.answers["ip -4 rule list"] = Outcome(output="fwmark 0x539 lookup 133\n")
    runner.answers["ip -4 rule del"] = Outcome(status=2, errors="two")
    with pytest.raises(CaptureError, match=r"one.*two"):
        clean_capture(capture_settings(), ApplySettings(), runner)
    assert "ip6tables-nft-save" in runner.commands


def test_cleaning_knows_rules_of_either_mode() -> None:
    """Its flags are often not those of the start."""
    saved = Outcome(output="*mangle\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")
    runner = ScriptedRunner({**_WORKING, "iptables-nft-save": saved})
    clean_capture(capture_settings(), ApplySettings(), runner)
    assert "-D OUTPUT -p tcp -m connmark --mark 1337 -j CONNMARK --restore-mark" in runner.inputs[0]
