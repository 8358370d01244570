from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from discovery.wire.type_urls import CLUSTER, ROUTE
from examples.demo.claims import Claim
from examples.demo.errors import DemoError
from examples.demo.fleet import Resident
from examples.demo.report import Report, bar_chart, hop_tree, memory_rows, sync_rows, table
from examples.demo.traffic import Hop


def test_columns_are_as_wide_as_their_content() -> None:
    """And no line ends in blanks."""
    assert list(table(("a", "b"), [("long", "x")])) == ["a     b", "long  x"]


def test_sync_table_has_a_row_for_each_proxy() -> None:
    """A type that a proxy does not watch is a dash."""
    syncz = [{"proxy": "a.shop", "resources": {CLUSTER: {"status": "SYNCED"}, ROUTE: {"status": "ERROR"}}}]
    (head, row) = sync_rows(syncz)
    assert head.split() == ["proxy", "clusters", "endpoints", "listeners", "routes", "hosts"]
    assert row.split() == ["a.shop", "SYNCED", "-", "-", "ERROR", "-"]


def test_hops_are_a_tree() -> None:
    """Depth is indentation; an error stands in place of the caller."""
    answer = Hop(name="a", version="v1", caller="spiffe://x", calls=(Hop(name="b"), Hop(name="c", error="503")))
    first, second, third = hop_tree(answer)
    assert first.split() == ["a", "v1", "called", "by", "spiffe://x"]
    assert second.startswith("  b ")
    assert "without a certificate" in second
    assert third.endswith("503")


def test_bars_have_the_length_of_the_share() -> None:
    """Also for what should not have answered."""
    lines = list(bar_chart(Counter({"v1": 3, "error": 1}), {"v1": 100, "v2": 0}))
    assert [line.count("#") for line in lines] == [30, 0, 10]
    assert [line.split()[0] for line in lines] == ["v1", "v2", "error"]


def test_memory_is_grouped_by_kind() -> None:
    """A process that was not started directly is the Envoy of its parent."""
    mb = 1 << 20
    residents = [Resident(1, 0, "a", 40 * mb), Resident(2, 0, "a", 42 * mb), Resident(3, 1, "e", 60 * mb)]
    lines = list(memory_rows(residents, {1: "agent", 2: "agent"}))
    assert lines[1].split() == ["Envoy", "of", "agent", "1", "60", "MB"]
    assert lines[2].split() == ["agent", "2", "40", "to", "42", "MB", "each"]


def test_a_claim_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Its mark first; without colours where the output is no terminal."""
    Report().claim(Claim("it works", holds=True, detail="seen"))
    Report().claim(Claim("it works", holds=False, detail="not seen"))
    assert capsys.readouterr().out == "  ok   it works: seen\n  FAIL it works: not seen\n"


def test_a_failure_shows_the_log_and_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The end of the log, not all of it."""
    log = tmp_path / "agent.log"
    log.write_text("".join(f"line {number}\n" for number in range(100)), encoding="utf-8")
    Report().failure(DemoError("agent ended", log=log, hint="look"))
    said = capsys.readouterr().err
    assert "agent ended" in said
    assert "line 99" in said
    assert "line 50" not in said
    assert said.endswith("What to do: look\n")


def test_a_missing_log_is_no_second_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The failure itself is what matters."""
    Report().failure(DemoError("agent ended", log=tmp_path / "none"))
    assert "cannot be read" in capsys.readouterr().err
