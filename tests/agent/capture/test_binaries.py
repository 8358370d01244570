from __future__ import annotations

import pytest

from agent.capture.binaries import Tool, find_tool
from agent.capture.processes import CaptureError, Outcome
from agent.capture.rules import Family
from tests.kit.capture import ScriptedRunner

_NO_RULE = Outcome(status=1, errors="Bad rule")
_ABSENT = Outcome(status=127, errors="not found")
_NFT = {
    "iptables-nft --version": Outcome(output="iptables v1.8.9 (nf_tables)\n"),
    "iptables-nft -t nat -C": _NO_RULE,
}
_LEGACY = {
    "iptables-legacy --version": Outcome(output="iptables v1.8.9 (legacy)\n"),
    "iptables-legacy --wait=30 -t nat -C": _NO_RULE,
}


def test_the_new_interface_is_taken_where_nothing_is() -> None:
    """It knows no lock to wait for."""
    tool = find_tool(Family.IPV4, ScriptedRunner({**_NFT, **_LEGACY}))
    assert tool == Tool(family=Family.IPV4, name="iptables-nft", native=True)
    assert tool.restore == ("iptables-nft-restore", "--noflush")


def test_rules_of_the_old_interface_keep_it() -> None:
    """Ours would be evaluated apart from them otherwise; tables without rules say nothing."""
    rules = {"iptables-legacy-save": Outcome(output="*nat\n-A OUTPUT -j X\nCOMMIT\n")}
    tool = find_tool(Family.IPV4, ScriptedRunner({**_NFT, **_LEGACY, **rules}))
    assert (tool.name, tool.wait) == ("iptables-legacy", ("--wait=30",))
    assert tool.single("-L") == ("iptables-legacy", "--wait=30", "-L")
    empty = {"iptables-legacy-save": Outcome(output="*nat\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n")}
    assert find_tool(Family.IPV4, ScriptedRunner({**_NFT, **_LEGACY, **empty})).name == "iptables-nft"


def test_a_kernel_without_the_new_interface_gets_the_plain_name_then_the_old() -> None:
    """Whatever works first; what cannot use its table does not count."""
    no_table = Outcome(status=3, errors="table does not exist")
    unusable = {"iptables-nft -t nat -C": no_table, "iptables --version": _ABSENT}
    assert find_tool(Family.IPV4, ScriptedRunner({**_NFT, **_LEGACY, **unusable})).name == "iptables-legacy"
    plain = {"iptables --version": Outcome(output="iptables v1.6.1\n"), "iptables -t nat -C": _NO_RULE}
    tool = find_tool(Family.IPV4, ScriptedRunner({**_NFT, **unusable, **plain}))
    assert (tool.name, tool.wait, tool.native) == ("iptables", (), False)


def test_a_forced_choice_is_not_second_guessed() -> None:
    """Even where the other has rules."""
    runner = ScriptedRunner({**_NFT, **_LEGACY})
    assert find_tool(Family.IPV4, runner, forced="legacy").name == "iptables-legacy"
    assert "iptables-legacy-save" not in runner.commands


def test_nothing_usable_tells_what_each_said() -> None:
    """And what may be done."""
    absent = ScriptedRunner({"ip6tables": _ABSENT})
    with pytest.raises(CaptureError, match=r"no usable ip6tables: ip6tables-nft: not found.*--native-nftables"):
        find_tool(Family.IPV6, absent)
