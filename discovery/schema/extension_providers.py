"""Extension providers of MeshConfig: where logs, metrics, traces and authorization decisions go.

Spec: https://istio.io/latest/docs/reference/config/istio.mesh.v1alpha1/#MeshConfig-ExtensionProvider
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import msgspec

from discovery.schema.message import Message, UInt32

__all__ = [
    "EnvoyExternalAuthorizationGrpcProvider",
    "EnvoyExternalAuthorizationHttpProvider",
    "EnvoyFileAccessLogProvider",
    "EnvoyHttpGrpcV3LogProvider",
    "EnvoyOpenTelemetryLogProvider",
    "EnvoyTcpGrpcV3LogProvider",
    "ExtensionProvider",
    "LogFormat",
    "OpenTelemetryLogFormat",
    "PrometheusMetricsProvider",
    "RequestBodyForwarding",
    "StackdriverProvider",
    "TracingProvider",
]


class LogFormat(Message, frozen=True, kw_only=True):
    """Form of log lines: one string, or a JSON object."""

    oneofs = (("text", "labels"),)

    text: str | None = None
    labels: Mapping[str, Any] | None = None


class EnvoyFileAccessLogProvider(Message, frozen=True, kw_only=True):
    """Access logs to a file."""

    path: str = ""
    log_format: LogFormat | None = None
    omit_empty_values: bool = False


class OpenTelemetryLogFormat(Message, frozen=True, kw_only=True):
    """Body and attributes of OpenTelemetry log records."""

    text: str = ""
    labels: Mapping[str, Any] | None = None


class EnvoyOpenTelemetryLogProvider(Message, frozen=True, kw_only=True):
    """Access logs to an OpenTelemetry collector."""

    service: str = ""
    port: UInt32 = 0
    log_name: str = ""
    log_format: OpenTelemetryLogFormat | None = None


class EnvoyHttpGrpcV3LogProvider(Message, frozen=True, kw_only=True):
    """HTTP access logs over Envoy's access log service."""

    service: str = ""
    port: UInt32 = 0
    log_name: str = ""
    filter_state_objects_to_log: tuple[str, ...] = ()
    additional_request_headers_to_log: tuple[str, ...] = ()
    additional_response_headers_to_log: tuple[str, ...] = ()
    additional_response_trailers_to_log: tuple[str, ...] = ()


class EnvoyTcpGrpcV3LogProvider(Message, frozen=True, kw_only=True):
    """TCP access logs over Envoy's access log service."""

    service: str = ""
    port: UInt32 = 0
    log_name: str = ""
    filter_state_objects_to_log: tuple[str, ...] = ()


class PrometheusMetricsProvider(Message, frozen=True, kw_only=True):
    """Metrics for Prometheus to scrape."""


class StackdriverProvider(Message, frozen=True, kw_only=True):
    """Google Cloud operations."""

    max_tag_length: UInt32 = 0
    max_number_of_attributes: int | None = None
    max_number_of_annotations: int | None = None
    max_number_of_message_events: int | None = None
    debug: bool = False
    logging: Mapping[str, Any] | None = None


class TracingProvider(Message, frozen=True, kw_only=True):
    """A tracing backend; which fields mean something depends on its kind."""

    service: str = ""
    port: UInt32 = 0
    max_tag_length: UInt32 = 0
    enable_64bit_trace_id: bool = msgspec.field(name="enable64bitTraceId", default=False)
    path: str = ""
    trace_context_option: str = ""
    timeout: timedelta | None = None
    headers: tuple[Mapping[str, Any], ...] = ()
    access_token: str = ""
    context: tuple[str, ...] = ()
    http: Mapping[str, Any] | None = None
    grpc: Mapping[str, Any] | None = None
    resource_detectors: Mapping[str, Any] | None = None
    dynatrace_sampler: Mapping[str, Any] | None = None
    service_attribute_enrichment: str = ""


class RequestBodyForwarding(Message, frozen=True, kw_only=True):
    """How much of a request's body the authorizer gets."""

    max_request_bytes: UInt32 = 0
    allow_partial_message: bool = False
    pack_as_bytes: bool = False


class EnvoyExternalAuthorizationHttpProvider(Message, frozen=True, kw_only=True):
    """An HTTP authorizer."""

    service: str = ""
    port: UInt32 = 0
    timeout: timedelta | None = None
    path_prefix: str = ""
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: str = ""
    include_headers_in_check: tuple[str, ...] = ()  # deprecated
    include_request_headers_in_check: tuple[str, ...] = ()
    include_additional_headers_in_check: Mapping[str, str] = {}
    include_request_body_in_check: RequestBodyForwarding | None = None
    headers_to_upstream_on_allow: tuple[str, ...] = ()
    headers_to_downstream_on_deny: tuple[str, ...] = ()
    headers_to_downstream_on_allow: tuple[str, ...] = ()


class EnvoyExternalAuthorizationGrpcProvider(Message, frozen=True, kw_only=True):
    """A gRPC authorizer."""

    service: str = ""
    port: UInt32 = 0
    timeout: timedelta | None = None
    fail_open: bool = False
    clear_route_cache: bool = False
    status_on_error: str = ""
    include_request_body_in_check: RequestBodyForwarding | None = None


class ExtensionProvider(Message, frozen=True, kw_only=True):
    """A provider under a name that Telemetry and AuthorizationPolicy refer to."""

    oneofs = (
        (
            "envoy_ext_authz_http",
            "envoy_ext_authz_grpc",
            "zipkin",
            "lightstep",
            "datadog",
            "stackdriver",
            "opencensus",
            "skywalking",
            "opentelemetry",
            "prometheus",
            "envoy_file_access_log",
            "envoy_http_als",
            "envoy_tcp_als",
            "envoy_otel_als",
            "sds",
        ),
    )

    name: str = ""
    envoy_ext_authz_http: EnvoyExternalAuthorizationHttpProvider | None = None
    envoy_ext_authz_grpc: EnvoyExternalAuthorizationGrpcProvider | None = None
    zipkin: TracingProvider | None = None
    lightstep: TracingProvider | None = None
    datadog: TracingProvider | None = None
    stackdriver: StackdriverProvider | None = None
    opencensus: TracingProvider | None = None
    skywalking: TracingProvider | None = None
    opentelemetry: TracingProvider | None = None
    prometheus: PrometheusMetricsProvider | None = None
    envoy_file_access_log: EnvoyFileAccessLogProvider | None = None
    envoy_http_als: EnvoyHttpGrpcV3LogProvider | None = None
    envoy_tcp_als: EnvoyTcpGrpcV3LogProvider | None = None
    envoy_otel_als: EnvoyOpenTelemetryLogProvider | None = None
    sds: Mapping[str, Any] | None = None
