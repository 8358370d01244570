from __future__ import annotations

import pytest

from agent.capture.nftables_apply import apply_nftables, clean_nftables
from agent.capture.plan import plan_capture
from agent.capture.processes import CaptureError, Outcome
from agent.capture.settings import CaptureSettings
from tests.kit.capture import ScriptedRunner

_TABLES = Outcome(output="table inet istio-proxy-nat\ntable inet istio-proxy-raw\ntable inet others\n")


def _listing(*chains: str) -> Outcome:
    return Outcome(output="table inet x {\n" + "".join(f"\tchain {chain} {{\n\t}}\n" for chain in chains) + "}\n")


def test_tables_of_other_settings_go_in_the_same_transaction() -> None:
    """Those that the plan has not, and those with chains that it has not; tables of others stay."""
    runner = ScriptedRunner(
        {
            "nft list tables": _TABLES,
            "nft list table inet istio-proxy-nat": _listing("output", "istio-output"),
            "nft list table inet istio-proxy-raw": _listing("output"),
        }
    )
    apply_nftables(plan_capture(CaptureSettings()), runner)
    (text,) = runner.inputs
    assert "delete table inet istio-proxy-raw" in text
    assert "delete table inet istio-proxy-nat" not in text
    assert "others" not in text


def test_a_refusal_is_told() -> None:
    """With what nft said."""
    runner = ScriptedRunner({"nft -f -": Outcome(status=1, errors="No such file")})
    with pytest.raises(CaptureError, match="No such file"):
        apply_nftables(plan_capture(CaptureSettings()), runner)


def test_cleaning_is_one_transaction() -> None:
    """Without a look at what is there."""
    runner = ScriptedRunner()
    clean_nftables(runner)
    assert runner.commands == ["nft -f -"]
