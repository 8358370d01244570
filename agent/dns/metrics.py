"""Counters of the DNS proxy, under the names that dashboards of Istio's agent know, and some of our own."""

from __future__ import annotations

from typing import Final

from agent.metrics import Counter, Histogram, Registry

__all__ = ["DnsMetrics"]

_BUCKETS: Final = (0.001, 0.005, 0.01, 0.1, 1, 5)


class DnsMetrics:
    """What the proxy counts. Without a registry it counts unseen, for tests."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.requests = Counter("istio_agent_dns_requests_total", "Questions received.", registry=registry)
        self.upstream_requests = Counter(
            "istio_agent_dns_upstream_requests_total", "Questions sent to upstream resolvers.", registry=registry
        )
        self.upstream_failures = Counter(
            "istio_agent_dns_upstream_failures_total",
            "Questions that no upstream resolver answered.",
            registry=registry,
        )
        self.upstream_duration = Histogram(
            "istio_agent_dns_upstream_request_duration_seconds",
            "Time of an upstream resolver to its answer.",
            buckets=_BUCKETS,
            registry=registry,
        )
        self.remembered = Counter(
            "istio_agent_dns_negative_cache_hits_total",
            "Questions answered by what upstream resolvers said does not exist.",
            registry=registry,
        )
        self.overflows = Counter(
            "istio_agent_dns_overflow_total",
            "Questions and connections refused because too many were open, answers that the kernel had no room for.",
            registry=registry,
            label="what",
            values=("question", "connection", "answer"),
        )
