"""What the webhooks count, under the names that dashboards of istiod know."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Metric

from discovery.runtime.metrics import PlainCounter, PlainHistogram
from discovery.schema.kinds import KINDS

__all__ = ["Refusal", "WebhookMetrics"]

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_STATUSES: Final = ("400", "413", "415", "500")
_KINDS: Final = {(info.group, info.name) for info in KINDS.values()}


class Refusal(StrEnum):
    """Why an object was refused; the closed set of the label ``reason``."""

    INVALID = "invalid_resource"
    UNKNOWN_KIND = "unknown_resource_type"
    UNDECODABLE = "yaml_decode_error"
    NO_OBJECT = "unsupported_operation"


class _ByKind:
    """A counter by group and kind; both only of kinds that we know, so that callers cannot make series."""

    def __init__(self, name: str, documentation: str, registry: CollectorRegistry) -> None:
        self._name = name
        self._documentation = documentation
        self._counts: dict[tuple[str, str, str], float] = {}
        registry.register(self)

    def inc(self, group: str, kind: str, reason: str = "") -> None:
        """Count one."""
        key = (group, kind, reason) if (group, kind) in _KINDS else ("other", "other", reason)
        self._counts[key] = self._counts.get(key, 0.0) + 1.0

    def collect(self) -> Iterator[Metric]:
        """What ``prometheus_client`` asks of a collector."""
        metric = Metric(self._name, self._documentation, "unknown")
        for (group, kind, reason), count in self._counts.items():
            labels = {"group": group, "resource": kind} | ({"reason": reason} if reason else {})
            metric.add_sample(self._name, labels, count)
        yield metric


class WebhookMetrics:
    """Counters on a registry passed in."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str) -> PlainCounter:
            return PlainCounter(name, text, registry=registry)

        self.requests = counter("sidecar_injection_requests_total", "Pods that injection was asked about.")
        self.successes = counter("sidecar_injection_success_total", "Pods that were injected.")
        self.failures = counter("sidecar_injection_failure_total", "Pods that could not be injected, and bad requests.")
        self.skipped = counter("sidecar_injection_skip_total", "Pods that were to be left alone.")
        self.seconds = PlainHistogram(
            "sidecar_injection_time_seconds", "Time from request to answer.", buckets=_BUCKETS, registry=registry
        )
        self.config_rejected = counter(
            "sidecar_injection_config_rejected_total", "Injector configurations that could not be used."
        )
        self.passed = _ByKind("galley_validation_passed", "Objects that were found valid.", registry)
        self.failed = _ByKind("galley_validation_failed", "Objects that were refused.", registry)
        self.http_errors = PlainCounter(
            "galley_validation_http_error",
            "Requests that are no admission reviews.",
            registry=registry,
            label="status",
            values=_STATUSES,
        )
