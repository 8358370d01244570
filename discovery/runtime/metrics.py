"""Prometheus registries that are passed in, never global, and their text form."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, GCCollector, Metric, PlatformCollector, ProcessCollector
from prometheus_client.exposition import generate_latest

__all__ = ["CONTENT_TYPE", "PlainCounter", "PlainHistogram", "new_registry", "render_metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def new_registry() -> CollectorRegistry:
    """A registry with the process's own figures in it."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


def render_metrics(registry: CollectorRegistry) -> bytes:
    """The Prometheus text format, version 0.0.4."""
    return generate_latest(registry)


class PlainCounter:
    """A counter exported under exactly its name, with at most one label of a closed set.

    ``prometheus_client.Counter`` appends ``_total``, but dashboards know many of the mesh's counters without it. The
    text format then has no way to call it a counter, so it is typed ``untyped``; Prometheus treats both alike.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        registry: CollectorRegistry | None = None,
        label: str = "",
        values: Sequence[str] = ("",),
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._counts: dict[str, float] = dict.fromkeys(values, 0.0)
        if registry is not None:
            registry.register(self)

    def inc(self, value: str = "", *, by: float = 1.0) -> None:
        """Add ``by`` (>= 0) to the count of one label value.

        Raises:
            KeyError: the value is not of the closed set.
        """
        self._counts[value] += by  # an unknown value fails on the read

    def count(self, value: str = "") -> float:
        """The present count of one label value."""
        return self._counts[value]

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        metric = Metric(self._name, self._documentation, "unknown")
        for value, count in self._counts.items():
            metric.add_sample(self._name, {self._label: value} if self._label else {}, count)
        yield metric


class PlainHistogram:
    """A histogram for one event loop, with at most one label of a closed set.

    ``prometheus_client.Histogram`` takes locks and walks its buckets; one observation of it costs as much as everything
    else that is done for a small push, of which there are thousands a second.
    """

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry | None = None,
        label: str = "",
        values: Sequence[str] = ("",),
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._bounds = tuple(buckets)  # ascending, without +Inf
        self._counts = {value: [0] * (len(self._bounds) + 1) for value in values}
        self._sums = dict.fromkeys(values, 0.0)
        if registry is not None:
            registry.register(self)

    def observe(self, amount: float, value: str = "") -> None:
        """Count an observation under one label value.

        Raises:
            KeyError: the value is not of the closed set.
        """
        self._counts[value][bisect_left(self._bounds, amount)] += 1
        self._sums[value] += amount

    def count(self, value: str = "") -> int:
        """How many observations there are under one label value."""
        return sum(self._counts[value])

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        metric = Metric(self._name, self._documentation, "histogram")
        for value, counts in self._counts.items():
            labels = {self._label: value} if self._label else {}
            total = 0
            for bound, count in zip((*self._bounds, float("inf")), counts, strict=True):
                total += count
                metric.add_sample(f"{self._name}_bucket", {**labels, "le": _bound_text(bound)}, total)
            metric.add_sample(f"{self._name}_count", labels, total)
            metric.add_sample(f"{self._name}_sum", labels, self._sums[value])
        yield metric


def _bound_text(bound: float) -> str:
    """A bound of a bucket as Prometheus writes it."""
    return "+Inf" if bound == float("inf") else repr(float(bound))
