"""Counters of secrets under the names operators know."""

from __future__ import annotations

from agent.metrics import Registry
from agent.sds.metrics import CSR, SecretMetrics


def test_names_are_istios() -> None:
    """Counters exist from the start under Istio's names; the time left is computed at the scrape."""
    registry = Registry()
    metrics = SecretMetrics(registry)
    metrics.requests.inc(CSR)
    assert "cert_expiry_seconds{" not in registry.render().decode()
    metrics.seconds_to_expiry = lambda: 42.0
    text = registry.render().decode()
    for line in (
        'istio_agent_num_outgoing_requests{request_type="csr"} 1.0',
        'istio_agent_num_failed_outgoing_requests{request_type="csr"} 0.0',
        'istio_agent_num_outgoing_retries{request_type="csr"} 0.0',
        'istio_agent_outgoing_latency{request_type="csr"} 0.0',
        "istio_agent_num_file_watcher_failures_total 0.0",
        "istio_agent_num_file_secret_failures_total 0.0",
        'istio_agent_cert_expiry_seconds{resource_name="default"} 42.0',
    ):
        assert f"\n{line}\n" in text
