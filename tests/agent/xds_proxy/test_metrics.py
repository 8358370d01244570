"""Counters under the names operators know."""

from __future__ import annotations

from agent.metrics import Registry
from agent.xds_proxy.ends import End, Severity, Side
from agent.xds_proxy.metrics import RelayMetrics


def test_names_are_istios() -> None:
    """Names carry the agent's prefix and no added suffix; labels come from a closed set and exist from the start."""
    registry = Registry()
    RelayMetrics(registry).requests.inc()
    text = registry.render().decode()
    assert "\nistio_agent_xds_proxy_requests 1.0\n" in text
    assert '\nistio_agent_istiod_connection_terminations{type="cancelled"} 0.0\n' in text
    assert '\nistio_agent_envoy_connection_terminations{type="error"} 0.0\n' in text
    assert "\nistio_agent_istiod_connection_failures 0.0\n" in text


def test_ends_are_counted_by_side_and_severity() -> None:
    """A connection never made is a failure, a lost one a termination, one that the agent ended neither."""
    metrics = RelayMetrics()
    metrics.on_end(End(side=Side.ISTIOD, code="UNAVAILABLE", connected=False))
    metrics.on_end(End(side=Side.ISTIOD, code="UNAUTHENTICATED"))
    metrics.on_end(End(side=Side.ISTIOD))
    metrics.on_end(End(side=Side.ENVOY, code="CANCELLED"))
    metrics.on_end(End(side=Side.AGENT))
    assert metrics.connection_failures.count() == 1
    assert metrics.istiod_terminations.count(Severity.ERROR) == 1
    assert metrics.istiod_terminations.count(Severity.CANCELLED) == 1
    assert metrics.envoy_terminations.count(Severity.CANCELLED) == 1
