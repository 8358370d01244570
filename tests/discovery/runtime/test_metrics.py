"""Counters and histograms under exactly the names that dashboards know."""

from __future__ import annotations

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from discovery.runtime.metrics import PlainCounter, PlainHistogram, new_registry, render_metrics


def samples(registry: CollectorRegistry) -> dict[tuple[str, str], float]:
    """Exported values by name and label text, as a scraper reads them."""
    families = text_string_to_metric_families(render_metrics(registry).decode())
    return {
        (sample.name, ",".join(f"{k}={v}" for k, v in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_a_counter_has_its_own_name() -> None:
    """No suffix is added; every value of the closed set is there from the start."""
    registry = CollectorRegistry()
    counter = PlainCounter("pilot_xds_pushes", "Pushes.", registry=registry, label="type", values=("cds", "eds"))
    counter.inc("cds")
    counter.inc("cds", by=2)
    assert samples(registry) == {("pilot_xds_pushes", "type=cds"): 3, ("pilot_xds_pushes", "type=eds"): 0}
    assert counter.count("cds") == 3


def test_labels_are_of_a_closed_set() -> None:
    """A proxy's name must never become a time series."""
    counter = PlainCounter("c", "C.", label="type", values=("cds",))
    histogram = PlainHistogram("h", "H.", buckets=(1,), label="type", values=("cds",))
    with pytest.raises(KeyError):
        counter.inc("sidecar-1")
    with pytest.raises(KeyError):
        histogram.observe(1, "sidecar-1")


def test_a_histogram_counts_up_to_each_bound() -> None:
    """Cumulative, a bound included in its bucket, all in the last one."""
    registry = CollectorRegistry()
    histogram = PlainHistogram("h", "H.", buckets=(0.1, 1), registry=registry)
    for amount in (0.05, 0.1, 0.5, 7):
        histogram.observe(amount)
    found = samples(registry)
    assert (found["h_bucket", "le=0.1"], found["h_bucket", "le=1.0"], found["h_bucket", "le=+Inf"]) == (2, 3, 4)
    assert (found["h_count", ""], found["h_sum", ""]) == (4, 7.65)
    assert histogram.count() == 4


def test_a_registry_knows_the_process() -> None:
    """Memory and CPU are there without doing anything."""
    names = {name for name, _ in samples(new_registry())}
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= names
