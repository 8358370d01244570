"""The relay's counters, under the names that dashboards of Istio's agent know."""

from __future__ import annotations

from agent.metrics import Counter, Registry
from agent.xds_proxy.ends import End, Severity, Side, judge_severity

__all__ = ["RelayMetrics"]


class RelayMetrics:
    """What the relay counts. Without a registry it counts unseen, for tests."""

    def __init__(self, registry: Registry | None = None) -> None:
        self.requests = Counter(
            "istio_agent_xds_proxy_requests", "Requests relayed from Envoy to the control plane.", registry=registry
        )
        self.responses = Counter(
            "istio_agent_xds_proxy_responses", "Responses received from the control plane.", registry=registry
        )
        self.connection_failures = Counter(
            "istio_agent_istiod_connection_failures", "Connections that could not be made.", registry=registry
        )
        self.istiod_terminations = Counter(
            "istio_agent_istiod_connection_terminations",
            "Streams ended by the control plane.",
            registry=registry,
            label="type",
            values=tuple(Severity),
        )
        self.envoy_terminations = Counter(
            "istio_agent_envoy_connection_terminations",
            "Streams ended by Envoy.",
            registry=registry,
            label="type",
            values=tuple(Severity),
        )

    def on_end(self, end: End) -> None:
        """Count the end of a relayed stream; those that the agent ended itself are nobody's failure."""
        if end.side is Side.ISTIOD and not end.connected:
            self.connection_failures.inc()
        elif end.side is Side.ISTIOD:
            self.istiod_terminations.inc(judge_severity(end.code, end.details))
        elif end.side is Side.ENVOY:
            self.envoy_terminations.inc(judge_severity(end.code, end.details))
