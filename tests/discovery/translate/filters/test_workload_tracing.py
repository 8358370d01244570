"""From Telemetry, providers and a proxy's own tracing to what its connection managers do."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from discovery.mesh.proxy import ScopeKey
from discovery.schema.extension_providers import ExtensionProvider, TracingProvider
from discovery.schema.mesh_config import DefaultProviders, MeshConfig
from discovery.schema.telemetry import WorkloadMode
from discovery.translate.filters.tracing import Protocol, SpanTag, TagSource, Tracer, Tracing
from discovery.translate.filters.workload_tracing import TracedWorkload, workload_tracing
from tests.kit.mesh_db import MeshDb

ANYBODY = TracedWorkload(ScopeKey("shop", None), (), WorkloadMode.CLIENT)
HOST = "collector.tracing.svc.cluster.local"
COLLECTOR = """
apiVersion: v1
kind: Service
metadata: {name: collector, namespace: tracing}
spec: {clusterIP: 10.0.0.1, ports: [{name: http, port: 9411}, {name: stats, port: 8125, protocol: UDP}]}
"""
OFF = """
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: none, namespace: shop}
spec: {tracing: [{enableIstioTags: false, randomSamplingPercentage: 40}]}
"""
ISTIO = ["istio.cluster_id", "istio.mesh_id", "istio.namespace"]


def traced(text: str = COLLECTOR, *, bootstrap: str = "", enabled: bool = True, **provider: Any) -> Tracing | None:
    mesh = MeshConfig(enable_tracing=enabled)
    if provider:
        found = ExtensionProvider(name="own", **provider)
        mesh = MeshConfig(extension_providers=(found,), default_providers=DefaultProviders(tracing=("own",)))
    return workload_tracing(MeshDb(text, mesh=mesh).db, ANYBODY._replace(bootstrap=bootstrap))


def collector(**fields: Any) -> TracingProvider:
    return TracingProvider(**{"service": f"tracing/{HOST}", "port": 9411, **fields})


def test_zipkin_at_a_service() -> None:
    """By the cluster that the workload has of it; what the provider says is kept."""
    found = traced(zipkin=collector(max_tag_length=99, enable_64bit_trace_id=True))
    assert found is not None
    cluster = f"outbound|9411||{HOST}"
    assert found.tracer == Tracer(protocol=Protocol.ZIPKIN, cluster=cluster, host=HOST, port=9411, short_ids=True)
    assert (found.sampling, found.max_path_length) == (1.0, 99)
    assert [tag.name for tag in found.tags] == ISTIO


@pytest.mark.parametrize(
    ("fields", "protocol", "path", "headers", "timeout"),
    [
        ({}, Protocol.OTLP_GRPC, "", (), 10),
        (
            {"grpc": {"timeout": "2s", "initialMetadata": [{"name": "a", "value": "b"}, {"name": "c", "envName": "D"}]}
            },
            Protocol.OTLP_GRPC, "", (("a", "b"),), 2,
        ),
        (
            {"http": {"path": "/in", "timeout": "soon", "headers": [{"name": "a", "value": "b"}]}},
            Protocol.OTLP_HTTP, "/in", (("a", "b"),), 10,
        ),
    ],
)  # fmt: skip
def test_open_telemetry_at_a_service(
    fields: dict[str, Any], protocol: Protocol, path: str, headers: tuple[tuple[str, str], ...], timeout: int
) -> None:
    """By gRPC unless HTTP is spoken of; a timeout that is none is the default."""
    found = traced(opentelemetry=collector(**fields))
    assert found is not None
    assert found.tracer is not None
    tracer = found.tracer
    assert (tracer.protocol, tracer.path, tracer.headers) == (protocol, path, headers)
    assert tracer.timeout == timedelta(seconds=timeout)


@pytest.mark.parametrize(
    "provider",
    [
        {"zipkin": collector(service="unknown.example")},
        {"zipkin": collector(port=1)},
        {"zipkin": collector(port=8125)},
        {"datadog": collector()},
        {"prometheus": None},
    ],
)
def test_a_provider_that_cannot_serve(provider: dict[str, Any]) -> None:
    """Without the cluster Envoy would refuse the whole listener: no tracing instead."""
    assert traced(**provider) is None


def test_telemetry_says_how_many() -> None:
    """And whether the mesh's own tags are wanted; else the proxy's configuration says how many."""
    found = traced(COLLECTOR + OFF, zipkin=collector())
    assert found is not None
    assert (found.sampling, found.tags) == (40.0, ())
    found = traced(bootstrap='{"sampling": 7, "zipkin": {"address": "z:1"}}', zipkin=collector())
    assert found is not None
    assert found.sampling == 7.0


def test_the_bootstraps_own_tracer() -> None:
    """Used where Telemetry says nothing, unless the mesh switches tracing off; what cannot be read is left out."""
    own = {
        "zipkin": {"address": "z:9411"},
        "sampling": 30,
        "maxPathTagLength": 10,
        "customTags": {"x": {"header": {"name": "x-user", "defaultValue": "-"}}},
    }
    found = traced(bootstrap=json.dumps(own))
    assert found is not None
    assert (found.tracer, found.sampling, found.max_path_length) == (None, 30.0, 10)
    assert [tag.name for tag in found.tags] == [*ISTIO, "x"]
    assert found.tags[-1] == SpanTag("x", TagSource.HEADER, "x-user", "-")
    assert traced(bootstrap=json.dumps(own), enabled=False) is None
    broken = traced(bootstrap='{"sampling": "many"}')
    assert broken is not None
    assert broken.sampling == 1.0
    assert traced() is None
