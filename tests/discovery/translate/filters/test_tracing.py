"""Tracing of a connection manager as Envoy reads it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from discovery.translate.filters.tracing import Protocol, SpanTag, TagSource, Tracer, Tracing, render_tracing
from discovery.wire.envoy import HttpConnectionManager, OpenTelemetryConfig, ZipkinConfig


def rendered(tracing: Tracing) -> Any:
    return HttpConnectionManager(tracing=render_tracing(tracing)).tracing


def tracer(protocol: Protocol, **fields: Any) -> Tracer:
    return Tracer(protocol=protocol, cluster="outbound|9411||c.example", host="c.example", port=9411, **fields)


def test_the_bootstraps_tracer() -> None:
    """No provider; the share is random, what callers have chosen is always traced."""
    built = rendered(Tracing(sampling=12.5, max_path_length=64))
    assert not built.HasField("provider")
    assert (built.random_sampling.value, built.client_sampling.value, built.overall_sampling.value) == (12.5, 100, 100)
    assert built.max_path_tag_length.value == 64


def test_tags_by_their_sources() -> None:
    """Each in the field that Envoy has for it."""
    tags = (
        SpanTag("a", TagSource.LITERAL, "x"),
        SpanTag("b", TagSource.ENVIRONMENT, "HOME", "none"),
        SpanTag("c", TagSource.HEADER, "x-user", "nobody"),
        SpanTag("d", TagSource.FORMAT, "%PROTOCOL%"),
    )
    a, b, c, d = rendered(Tracing(tags=tags)).custom_tags
    assert (a.tag, a.literal.value) == ("a", "x")
    assert (b.environment.name, b.environment.default_value) == ("HOME", "none")
    assert (c.request_header.name, c.request_header.default_value) == ("x-user", "nobody")
    assert d.value == "%PROTOCOL%"


def test_zipkin() -> None:
    """128 bits and B3 unless told otherwise; spans of client and server are apart."""
    provider = rendered(Tracing(tracer=tracer(Protocol.ZIPKIN))).provider
    config = ZipkinConfig.FromString(provider.typed_config.value)
    assert provider.name == "envoy.tracers.zipkin"
    assert (config.collector_cluster, config.collector_endpoint) == ("outbound|9411||c.example", "/api/v2/spans")
    assert config.trace_id_128bit
    assert not config.shared_span_context.value
    old = rendered(Tracing(tracer=tracer(Protocol.ZIPKIN, short_ids=True, w3c=True, path="/x"))).provider
    config = ZipkinConfig.FromString(old.typed_config.value)
    assert (config.trace_id_128bit, config.trace_context_option, config.collector_endpoint) == (False, 1, "/x")


def test_open_telemetry() -> None:
    """By gRPC or HTTP, with headers; who reports is in the environment of the proxy."""
    fields: dict[str, Any] = {"timeout": timedelta(seconds=3), "headers": (("x-key", "v"),)}
    grpc, http = (
        OpenTelemetryConfig.FromString(rendered(Tracing(tracer=tracer(how, **fields))).provider.typed_config.value)
        for how in (Protocol.OTLP_GRPC, Protocol.OTLP_HTTP)
    )
    assert grpc.grpc_service.envoy_grpc.cluster_name == http.http_service.http_uri.cluster == "outbound|9411||c.example"
    assert grpc.grpc_service.timeout.ToSeconds() == http.http_service.http_uri.timeout.ToSeconds() == 3
    assert grpc.grpc_service.initial_metadata[0].key == "x-key"
    assert http.http_service.http_uri.uri == "http://c.example:9411/v1/traces"
    assert http.http_service.request_headers_to_add[0].header.value == "v"
    assert grpc.resource_detectors[0].name.endswith(".environment")
