"""The text form, checked with the reader of Prometheus's own library."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.metrics import Counter, Gauge, Histogram, Registry


def read(registry: Registry) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Values by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(registry.render().decode())
        for sample in family.samples
    }


def test_counters_have_exactly_their_name() -> None:
    """With or without ``_total``, and each value of the closed set from the start."""
    registry = Registry()
    plain = Counter("a_requests", "Requests.", registry=registry)
    Counter("b_total", "B.", registry=registry, label="type", values=("x", "y")).inc("y", by=2)
    plain.inc()
    assert plain.count() == 1
    assert read(registry) == {
        ("a_requests_total", ()): 1,  # the reader's spelling of every counter
        ("b_total", (("type", "x"),)): 0,
        ("b_total", (("type", "y"),)): 2,
    }
    assert b"# TYPE a_requests counter\na_requests 1.0\n" in registry.render()
    assert b"# TYPE b_total counter\n" in registry.render()


def test_an_open_set_of_labels_is_refused() -> None:
    """A label may not come from outside."""
    with pytest.raises(KeyError):
        Counter("a", "A.", label="type", values=("x",)).inc("z")


def test_gauges_are_set_or_computed() -> None:
    """What is not known is not exported, not even its name."""
    registry = Registry()
    known: list[float] = []
    Gauge("a", "A.", registry=registry).set(1.5)
    Gauge("b", "B.", registry=registry, labels=(("of", "x"),), read=lambda: known[0] if known else None)
    assert read(registry) == {("a", ()): 1.5}
    assert b"# HELP b" not in registry.render()
    known.append(-2)
    assert read(registry)["b", (("of", "x"),)] == -2


def test_histograms_are_cumulative() -> None:
    """A value on a bound belongs to that bucket."""
    registry = Registry()
    histogram = Histogram("h_seconds", "H.", buckets=(0.5, 1), registry=registry)
    for amount in (0.5, 0.7, 9):
        histogram.observe(amount)
    assert read(registry) == {
        ("h_seconds_bucket", (("le", "0.5"),)): 1,
        ("h_seconds_bucket", (("le", "1.0"),)): 2,
        ("h_seconds_bucket", (("le", "+Inf"),)): 3,
        ("h_seconds_sum", ()): 10.2,
        ("h_seconds_count", ()): 3,
    }


def test_texts_are_escaped() -> None:
    """Whatever documentation and labels hold, it stays one line each and reads back."""
    registry = Registry()
    odd = 'a"b\\c\nd'
    Gauge("a", "Back\\slash\nline.", registry=registry, labels=(("of", odd),))
    assert registry.render().count(b"\n") == 3
    assert read(registry) == {("a", (("of", odd),)): 0}
