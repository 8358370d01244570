"""What the xDS server counts, under the names that operators of istiod know."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, Metric

from discovery.runtime.metrics import PlainCounter, PlainHistogram
from discovery.wire.type_urls import SHORT_NAMES

__all__ = ["TRIGGERS", "UPDATES", "XdsMetrics"]

TRIGGERS: Final = ("endpoint", "config", "service", "proxy", "global", "proxyrequest")
UPDATES: Final = ("config", "eds", "svc")
_SHORT: Final = tuple(short.lower() for short in SHORT_NAMES.values())
_SECONDS: Final = (0.01, 0.1, 0.5, 1, 3, 5, 10, 20, 30)
_SEND_SECONDS: Final = (0.01, 0.1, 1, 3, 5, 10, 20, 30)
_QUEUE_SECONDS: Final = (0.1, 0.5, 1, 3, 5, 10, 20, 30)
_BYTES: Final = (1, 1e4, 1e6, 4e6, 1e7, 4e7)
_VERSIONS_SHOWN = 16


class XdsMetrics:
    """All of them, on a registry passed in. Labels are of closed sets: never a proxy, a pod or a resource."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.connections = _ByVersion(registry)
        self.pushes = PlainCounter(
            "pilot_xds_pushes",
            "Responses sent, by type.",
            registry=registry,
            label="type",
            values=[*_SHORT, *(f"{short}_senderr" for short in _SHORT)],
        )
        self.push_time = PlainHistogram(
            "pilot_xds_push_time",
            "Seconds to compose a response.",
            buckets=_SECONDS,
            registry=registry,
            label="type",
            values=_SHORT,
        )
        self.send_time = PlainHistogram(
            "pilot_xds_send_time", "Seconds to write a response.", buckets=_SEND_SECONDS, registry=registry
        )
        self.size = PlainHistogram(
            "pilot_xds_config_size_bytes",
            "Size of responses.",
            buckets=_BYTES,
            registry=registry,
            label="type",
            values=list(SHORT_NAMES),
        )
        self.queue_time = PlainHistogram(
            "pilot_proxy_queue_time",
            "Seconds that a proxy waits in the push queue.",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self.convergence = PlainHistogram(
            "pilot_proxy_convergence_time",
            "Seconds from a change to its last response to a proxy.",
            buckets=_QUEUE_SECONDS,
            registry=registry,
        )
        self.debounce = PlainHistogram(
            "pilot_debounce_time",
            "Seconds from the first change of a burst until it is acted on.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.triggers = PlainCounter(
            "pilot_push_triggers", "Reasons to push.", registry=registry, label="type", values=TRIGGERS
        )
        self.updates = PlainCounter(
            "pilot_inbound_updates", "Changes received.", registry=registry, label="type", values=UPDATES
        )
        self.expired = PlainCounter(
            "pilot_xds_expired_nonce",
            "Requests about an earlier response than the last.",
            registry=registry,
            label="type",
            values=_SHORT,
        )
        self.rejects = PlainCounter(
            "pilot_total_xds_rejects", "Responses rejected by proxies.", registry=registry, label="type", values=_SHORT
        )
        self.internal_errors = PlainCounter(
            "pilot_total_xds_internal_errors", "Streams that ended by an error of ours.", registry=registry
        )
        self.write_timeouts = PlainCounter(
            "pilot_xds_write_timeout", "Streams closed because a write took too long.", registry=registry
        )
        self.request_max = Gauge("pilot_xds_recv_max", "Largest request received, in bytes.", registry=registry)


class _ByVersion:
    """``pilot_xds``: connected proxies by the version they announce; versions beyond a bound count as ``other``."""

    def __init__(self, registry: CollectorRegistry | None) -> None:
        self._count: Counter[str] = Counter()
        if registry is not None:
            registry.register(self)

    def inc(self, version: str) -> None:
        """A proxy connected."""
        self._count[version] += 1

    def dec(self, version: str) -> None:
        """It is gone."""
        self._count[version] -= 1
        if self._count[version] <= 0:
            del self._count[version]

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        metric = Metric("pilot_xds", "Connected proxies.", "gauge")
        ranked = self._count.most_common()
        for version, count in ranked[:_VERSIONS_SHOWN]:
            metric.add_sample("pilot_xds", {"version": version}, count)
        rest = sum(count for _, count in ranked[_VERSIONS_SHOWN:])
        if rest:
            metric.add_sample("pilot_xds", {"version": "other"}, rest)
        yield metric
