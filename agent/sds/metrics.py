"""Counters of secrets, under the names that dashboards of Istio's agent know."""

from __future__ import annotations

from collections.abc import Callable

from agent.metrics import Counter, Gauge, Registry

__all__ = ["CSR", "SecretMetrics"]

CSR = "csr"


class SecretMetrics:
    """What the agent counts of secrets. Without a registry it counts unseen, for tests."""

    def __init__(self, registry: Registry | None = None) -> None:
        def of_requests(name: str, documentation: str) -> Counter:
            return Counter(name, documentation, registry=registry, label="request_type", values=(CSR,))

        self.requests = of_requests("istio_agent_num_outgoing_requests", "Requests to the CA.")
        self.failures = of_requests("istio_agent_num_failed_outgoing_requests", "Requests to the CA that failed.")
        self.retries = of_requests("istio_agent_num_outgoing_retries", "Repeated requests to the CA.")
        self.latency_ms = of_requests("istio_agent_outgoing_latency", "Milliseconds spent in requests to the CA.")
        self.watch_failures = Counter(
            "istio_agent_num_file_watcher_failures_total", "Files that could not be watched.", registry=registry
        )
        self.file_failures = Counter(
            "istio_agent_num_file_secret_failures_total", "Secrets that could not be read.", registry=registry
        )
        self.seconds_to_expiry: Callable[[], float | None] = lambda: None
        self.expiry = Gauge(
            "istio_agent_cert_expiry_seconds",
            "Seconds until the certificate expires; negative after.",
            labels=(("resource_name", "default"),),
            read=lambda: self.seconds_to_expiry(),
            registry=registry,
        )
