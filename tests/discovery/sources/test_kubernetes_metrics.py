"""What is counted of reading a cluster."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from discovery.kube.cache import Change
from discovery.kube.envelope import Name
from discovery.runtime.metrics import render_metrics
from discovery.schema.meta import Kind
from discovery.sources.kubernetes_metrics import ClusterMetrics, WatchState

KEY = Name("shop", "a")


def test_names_and_labels() -> None:
    """Events by kind, apart for what runs and for configuration; watches as they are when metrics are asked for."""
    registry = CollectorRegistry()
    metrics = ClusterMetrics(registry)
    metrics.heard(Kind.SERVICE, [Change(KEY, None, 1), Change(KEY, 1, 2), Change(KEY, 2, 3), Change(KEY, 3, None)])
    metrics.heard(Kind.VIRTUAL_SERVICE, [Change(KEY, None, 1)])
    metrics.watch(lambda: [WatchState(Kind.SERVICE, 3, stale=True), WatchState(Kind.POD, 0, stale=False)])
    samples = {line for line in render_metrics(registry).decode().splitlines() if not line.startswith("#")}
    assert samples == {
        'pilot_k8s_reg_events{event="add",type="Service"} 1.0',
        'pilot_k8s_reg_events{event="update",type="Service"} 2.0',
        'pilot_k8s_reg_events{event="delete",type="Service"} 1.0',
        'pilot_k8s_cfg_events{event="add",type="VirtualService"} 1.0',
        'pilot_k8s_watch_failures_total{type="Service"} 3.0',
        'pilot_k8s_watch_failures_total{type="Pod"} 0.0',
        'pilot_k8s_watch_stale{type="Service"} 1.0',
        'pilot_k8s_watch_stale{type="Pod"} 0.0',
    }
