"""Figures of the process, beside those of Prometheus's own library."""

from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from agent.metrics import Registry
from agent.process_metrics import ProcessMetrics


def test_figures_are_those_of_the_library() -> None:
    """The same names, and values that agree as far as time stands still."""
    registry = Registry()
    registry.register(ProcessMetrics("x_process"))
    found = {family.name: family.samples[0].value for family in ProcessMetrics("x_process").collect()}
    library = CollectorRegistry()
    ProcessCollector(namespace="x", registry=library)
    expected = {sample.name: sample.value for metric in library.collect() for sample in metric.samples}
    assert set(found) == set(expected)
    for name in ("x_process_start_time_seconds", "x_process_max_fds"):
        assert found[name] == pytest.approx(expected[name])
    assert found["x_process_resident_memory_bytes"] == pytest.approx(
        expected["x_process_resident_memory_bytes"], rel=0.1
    )
    assert b"# TYPE x_process_cpu_seconds_total counter" in registry.render()


def test_without_proc_nothing_is_told(tmp_path: Path) -> None:
    """Other systems have none."""
    assert list(ProcessMetrics("x", proc=tmp_path).collect()) == []
