"""Tracing of a connection manager: who gets spans, of how many requests, with which tags."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import Enum
from typing import Any, Final, NamedTuple

import msgspec

from discovery.wire.envoy import EnvironmentResource, OpenTelemetryConfig, ZipkinConfig, pack

__all__ = ["Protocol", "SpanTag", "TagSource", "Tracer", "Tracing", "render_tracing"]

_ALL: Final = {"value": 100.0}
_RESOURCE: Final = {
    "name": "envoy.tracers.opentelemetry.resource_detectors.environment",
    "typed_config": pack(EnvironmentResource()),
}


class Protocol(Enum):
    """How a collector is spoken to."""

    ZIPKIN = "zipkin"
    OTLP_GRPC = "OpenTelemetry over gRPC"
    OTLP_HTTP = "OpenTelemetry over HTTP"


class Tracer(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """A collector of spans, at a cluster that the proxy has. ``headers`` go with each report."""

    protocol: Protocol
    cluster: str
    host: str
    port: int
    path: str = ""
    timeout: timedelta = timedelta(seconds=10)
    headers: tuple[tuple[str, str], ...] = ()
    short_ids: bool = False  # 64 bits, as old Zipkin clients have
    w3c: bool = False  # besides B3 headers those of W3C are understood and sent


class TagSource(Enum):
    """Where the value of a tag comes from."""

    LITERAL = "literal"
    ENVIRONMENT = "environment"
    HEADER = "request_header"
    FORMAT = "value"


class SpanTag(NamedTuple):
    """A tag of each span. ``value``: the text, variable, header or format; ``default`` where that has none."""

    name: str
    source: TagSource
    value: str
    default: str = ""


class Tracing(msgspec.Struct, frozen=True, cache_hash=True, kw_only=True):
    """Spans are made of this share of requests, in percent, besides those that their caller has chosen."""

    tracer: Tracer | None = None  # None: that of the proxy's bootstrap
    sampling: float = 1.0
    tags: tuple[SpanTag, ...] = ()
    max_path_length: int = 0  # of the URL tag; 0: Envoy's own limit, 256


def render_tracing(tracing: Tracing) -> dict[str, Any]:
    """The keyword form of ``HttpConnectionManager.Tracing``."""
    out: dict[str, Any] = {
        "client_sampling": _ALL,
        "random_sampling": {"value": tracing.sampling},
        "overall_sampling": _ALL,
        "custom_tags": [_tag(tag) for tag in tracing.tags],
    }
    if tracing.max_path_length:
        out["max_path_tag_length"] = {"value": tracing.max_path_length}
    if tracing.tracer is not None:
        out["provider"] = _provider(tracing.tracer)
    return out


def _tag(tag: SpanTag) -> dict[str, Any]:
    if tag.source is TagSource.LITERAL:
        return {"tag": tag.name, "literal": {"value": tag.value}}
    if tag.source is TagSource.FORMAT:
        return {"tag": tag.name, "value": tag.value}
    return {"tag": tag.name, tag.source.value: {"name": tag.value, "default_value": tag.default}}


def _provider(tracer: Tracer) -> dict[str, Any]:
    if tracer.protocol is Protocol.ZIPKIN:
        return {"name": "envoy.tracers.zipkin", "typed_config": pack(_zipkin(tracer))}
    return {"name": "envoy.tracers.opentelemetry", "typed_config": pack(_open_telemetry(tracer))}


def _zipkin(tracer: Tracer) -> ZipkinConfig:
    return ZipkinConfig(
        collector_cluster=tracer.cluster,
        collector_endpoint=tracer.path or "/api/v2/spans",
        collector_endpoint_version="HTTP_JSON",
        collector_hostname=tracer.host,
        trace_id_128bit=not tracer.short_ids,
        shared_span_context={"value": False},
        trace_context_option="USE_B3_WITH_W3C_PROPAGATION" if tracer.w3c else "USE_B3",
    )


def _open_telemetry(tracer: Tracer) -> OpenTelemetryConfig:
    where: Mapping[str, Any]
    if tracer.protocol is Protocol.OTLP_GRPC:
        where = {
            "grpc_service": {
                "envoy_grpc": {"cluster_name": tracer.cluster, "authority": tracer.host},
                "timeout": tracer.timeout,
                "initial_metadata": [{"key": name, "value": value} for name, value in tracer.headers],
            }
        }
    else:
        uri = f"http://{tracer.host}:{tracer.port}{tracer.path or '/v1/traces'}"
        headers = [{"header": {"key": name, "value": value}} for name, value in tracer.headers]
        where = {
            "http_service": {
                "http_uri": {"uri": uri, "cluster": tracer.cluster, "timeout": tracer.timeout},
                "request_headers_to_add": headers,
            }
        }
    # Who reports is said by the proxy's environment (OTEL_RESOURCE_ATTRIBUTES), so that proxies may share listeners.
    return OpenTelemetryConfig(resource_detectors=[_RESOURCE], **where)
