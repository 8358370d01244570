import json
from pathlib import Path

from benchmarks.__main__ import flatness
from benchmarks.report import render_table, write_results
from benchmarks.rows import Row, row


def test_a_row_is_judged_by_its_budget() -> None:
    """At most the limit is met; figures without a budget are not judged."""
    assert row("memory", "s", 250, "MB").met is True
    assert row("memory", "s", 251, "MB").met is False
    assert row("memory_peak", "s", 9999, "MB").met is None


def test_results_have_the_agreed_shape(tmp_path: Path) -> None:
    """Machine, commit, versions and rows, as other tools read them."""
    path = tmp_path / "results" / "latest.json"
    write_results(path, [row("memory", "s", 100.04, "MB")], {"mode": "delta"})
    document = json.loads(path.read_text())
    assert {"machine", "commit", "versions", "mode", "rows"} == document.keys()
    assert document["rows"] == [
        {"name": "memory", "scenario": "s", "value": 100.0, "unit": "MB", "budget": 250.0, "met": True}
    ]


def test_the_table_shows_misses() -> None:
    """istiod's figure, the budget, ours, and a miss that cannot be overlooked."""
    lines = render_table([row("memory", "s", 300, "MB"), row("memory_peak", "s", 400, "MB")]).splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert ["resident memory of the control plane", "1.2-2.2 GB", "<= 250 MB", "300 MB", "NO"] in cells
    assert ["memory peak", "", "", "400 MB", ""] in cells


def test_flatness_is_larger_over_smaller() -> None:
    """The ratio of cost per proxy; a figure too small to measure gives no row."""
    small = [_cpu("200", 0.1), _cpu("200", 0.0, "virtual_service_change_cpu_per_proxy")]
    large = [_cpu("1000", 0.12), _cpu("1000", 0.1, "virtual_service_change_cpu_per_proxy")]
    (only,) = flatness(small, large)
    assert (only.name, only.scenario, only.value, only.met) == ("flat_endpoint_change", "1000 over 200", 1.2, True)


def _cpu(scenario: str, value: float, name: str = "endpoint_change_cpu_per_proxy") -> Row:
    return row(name, scenario, value, "ms")
