"""The agent's own metrics and their text form, by hand: what ``prometheus_client`` does with 4 MB more of every pod.

Values are changed by one event loop and need no lock. Counters are exported under exactly their name, for dashboards
know many of them without ``_total``, and as counters all the same, for a reader of OpenMetrics refuses ``untyped``.

Spec: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

__all__ = ["Counter", "Family", "Gauge", "Histogram", "Registry", "Sample", "render_family"]


class Sample(msgspec.Struct, frozen=True):
    """One line: the name's suffix, labels, value."""

    suffix: str
    labels: tuple[tuple[str, str], ...]
    value: float


class Family(msgspec.Struct, frozen=True, kw_only=True):
    """All lines of one metric. ``kind``: ``counter``, ``gauge`` or ``histogram``."""

    name: str
    documentation: str
    kind: str
    samples: tuple[Sample, ...]


class Collector(Protocol):
    """Whatever can tell its families at a scrape."""

    def collect(self) -> Iterable[Family]:
        """The families as they are now; one without samples is left out."""


class Registry:
    """What is exported, in the order of registration."""

    def __init__(self) -> None:
        self._collectors: list[Collector] = []

    def register(self, collector: Collector) -> None:
        """Export it from now on."""
        self._collectors.append(collector)

    def render(self) -> bytes:
        """The Prometheus text format, version 0.0.4."""
        families = (family for collector in self._collectors for family in collector.collect())
        return "".join(map(render_family, families)).encode()


def render_family(family: Family) -> str:
    """Its lines, each with its end; nothing without samples."""
    if not family.samples:
        return ""
    documentation = family.documentation.replace("\\", "\\\\").replace("\n", "\\n")
    lines = [f"# HELP {family.name} {documentation}", f"# TYPE {family.name} {family.kind}"]
    lines += [
        f"{family.name}{sample.suffix}{_labels(sample.labels)} {_number(sample.value)}" for sample in family.samples
    ]
    return "\n".join(lines) + "\n"


def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    if not labels:
        return ""
    escaped = ((name, value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')) for name, value in labels)
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return repr(float(value))


class Counter:
    """A counter with at most one label of a closed set."""

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        registry: Registry | None = None,
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
        self._counts[value] += by

    def count(self, value: str = "") -> float:
        """The count under one label value."""
        return self._counts[value]

    def collect(self) -> Iterable[Family]:
        """Its one family."""
        samples = tuple(
            Sample("", ((self._label, value),) if self._label else (), count) for value, count in self._counts.items()
        )
        yield Family(name=self._name, documentation=self._documentation, kind="counter", samples=samples)


class Gauge:
    """A value that goes up and down, set by us or computed at the scrape; None is not exported."""

    def __init__(
        self,
        name: str,
        documentation: str,
        *,
        registry: Registry | None = None,
        labels: Sequence[tuple[str, str]] = (),
        read: Callable[[], float | None] | None = None,
    ) -> None:
        """``read`` tells the value at a scrape; without it, it is what was ``set`` last, 0 at first."""
        self._name = name
        self._documentation = documentation
        self._labels = tuple(labels)
        self._value = 0.0
        self._read = read
        if registry is not None:
            registry.register(self)

    @property
    def value(self) -> float | None:
        """The present value."""
        return self._value if self._read is None else self._read()

    def set(self, value: float) -> None:
        """Replace the value."""
        self._value = value

    def collect(self) -> Iterable[Family]:
        """Its one family."""
        value = self.value
        samples = () if value is None else (Sample("", self._labels, value),)
        yield Family(name=self._name, documentation=self._documentation, kind="gauge", samples=samples)


class Histogram:
    """Observations in buckets."""

    def __init__(
        self, name: str, documentation: str, *, buckets: Sequence[float], registry: Registry | None = None
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._bounds = tuple(buckets)  # ascending, without +Inf
        self._counts = [0] * (len(self._bounds) + 1)
        self._sum = 0.0
        if registry is not None:
            registry.register(self)

    def observe(self, amount: float) -> None:
        """Count one observation."""
        self._counts[bisect_left(self._bounds, amount)] += 1
        self._sum += amount

    def collect(self) -> Iterable[Family]:
        """Its one family: cumulative buckets, sum and count."""
        samples, total = [], 0
        for bound, count in zip((*self._bounds, float("inf")), self._counts, strict=True):
            total += count
            samples.append(Sample("_bucket", (("le", _number(bound)),), total))
        samples += [Sample("_sum", (), self._sum), Sample("_count", (), total)]
        yield Family(name=self._name, documentation=self._documentation, kind="histogram", samples=tuple(samples))
