"""What is counted of reading a cluster, under the names that dashboards of istiod know where there are such."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from prometheus_client import CollectorRegistry, Metric

from discovery.kube.cache import Change
from discovery.schema.meta import Kind
from discovery.sources.kubernetes_kinds import CORE

__all__ = ["ClusterMetrics", "WatchState"]

_REGISTRY: Final = ("pilot_k8s_reg_events", "Changes of Services, EndpointSlices, Pods, Nodes and Namespaces.")
_CONFIG: Final = ("pilot_k8s_cfg_events", "Changes of configuration objects.")
_FAILURES: Final = ("pilot_k8s_watch_failures_total", "Requests of a watch that failed; it is made again.")
_STALE: Final = ("pilot_k8s_watch_stale", "1 while changes of a kind are not heard of, 0 else.")


class WatchState(NamedTuple):
    """How one kind is being read."""

    kind: Kind
    failures: int
    stale: bool


class ClusterMetrics:
    """A collector on a registry passed in. Labels are kinds and events: closed sets."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self._events: dict[tuple[Kind, str], int] = {}
        self._watches: Callable[[], Iterable[WatchState]] = tuple
        if registry is not None:
            registry.register(self)

    def watch(self, states: Callable[[], Iterable[WatchState]]) -> None:
        """Ask this for what is being read, when metrics are."""
        self._watches = states

    def heard(self, kind: Kind, changes: Sequence[Change[Any]]) -> None:
        """Objects of a kind changed."""
        for change in changes:
            event = "add" if change.old is None else "delete" if change.new is None else "update"
            key = (kind, event)
            self._events[key] = self._events.get(key, 0) + 1

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        registry, config = (Metric(*described, "unknown") for described in (_REGISTRY, _CONFIG))
        for (kind, event), count in sorted(self._events.items()):
            metric = registry if kind in CORE else config
            metric.add_sample(metric.name, {"type": str(kind), "event": event}, count)
        failures, stale = Metric(*_FAILURES, "unknown"), Metric(*_STALE, "gauge")
        for state in self._watches():
            labels = {"type": str(state.kind)}
            failures.add_sample(failures.name, labels, state.failures)
            stale.add_sample(stale.name, labels, int(state.stale))
        yield from (registry, config, failures, stale)
