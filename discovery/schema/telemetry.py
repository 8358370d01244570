"""Telemetry: access logs, metrics and traces of workloads.

Spec: https://istio.io/latest/docs/reference/config/telemetry/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated

import msgspec

from discovery.schema.message import Message, NonEmpty, ProtoEnum
from discovery.schema.selector import PolicySelector, PolicyTargetReference, PolicyTargetReferences

__all__ = [
    "AccessLogging",
    "CustomTag",
    "EnvironmentTag",
    "Filter",
    "FormatterTag",
    "HeaderTag",
    "LiteralTag",
    "LogSelector",
    "MetricSelector",
    "Metrics",
    "MetricsOverrides",
    "ProviderRef",
    "StandardMetric",
    "TagOperation",
    "TagOverride",
    "Telemetry",
    "Tracing",
    "TracingSelector",
    "WorkloadMode",
]


class WorkloadMode(ProtoEnum):
    """Whether a setting is for traffic out of the workload, into it, or both."""

    CLIENT_AND_SERVER = "CLIENT_AND_SERVER"
    CLIENT = "CLIENT"
    SERVER = "SERVER"


class ProviderRef(Message, frozen=True, kw_only=True):
    """An extension provider of the mesh configuration, by name."""

    required = ("name",)

    name: NonEmpty = ""


class LogSelector(Message, frozen=True, kw_only=True):
    """Which traffic is logged."""

    mode: WorkloadMode = WorkloadMode.CLIENT_AND_SERVER


class Filter(Message, frozen=True, kw_only=True):
    """A CEL expression; what it rejects is not logged."""

    expression: str = ""


class AccessLogging(Message, frozen=True, kw_only=True):
    """Access logs to some providers; none named: the mesh defaults."""

    match: LogSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    disabled: bool | None = None
    filter: Filter | None = None


class StandardMetric(ProtoEnum):
    """Istio's standard metrics."""

    ALL_METRICS = "ALL_METRICS"
    REQUEST_COUNT = "REQUEST_COUNT"
    REQUEST_DURATION = "REQUEST_DURATION"
    REQUEST_SIZE = "REQUEST_SIZE"
    RESPONSE_SIZE = "RESPONSE_SIZE"
    TCP_OPENED_CONNECTIONS = "TCP_OPENED_CONNECTIONS"
    TCP_CLOSED_CONNECTIONS = "TCP_CLOSED_CONNECTIONS"
    TCP_SENT_BYTES = "TCP_SENT_BYTES"
    TCP_RECEIVED_BYTES = "TCP_RECEIVED_BYTES"
    GRPC_REQUEST_MESSAGES = "GRPC_REQUEST_MESSAGES"
    GRPC_RESPONSE_MESSAGES = "GRPC_RESPONSE_MESSAGES"


class MetricSelector(Message, frozen=True, kw_only=True):
    """Which metric of which traffic."""

    oneofs = (("metric", "custom_metric"),)

    metric: StandardMetric | None = None
    custom_metric: NonEmpty | None = None
    mode: WorkloadMode = WorkloadMode.CLIENT_AND_SERVER


class TagOperation(ProtoEnum):
    """What is done to a tag."""

    UPSERT = "UPSERT"
    REMOVE = "REMOVE"


class TagOverride(Message, frozen=True, kw_only=True):
    """A tag set to the value of a CEL expression, or removed."""

    operation: TagOperation = TagOperation.UPSERT
    value: str = ""


class MetricsOverrides(Message, frozen=True, kw_only=True):
    """Changes to metrics that match."""

    match: MetricSelector | None = None
    disabled: bool | None = None
    tag_overrides: Mapping[str, TagOverride] = {}


class Metrics(Message, frozen=True, kw_only=True):
    """Metrics for some providers."""

    providers: tuple[ProviderRef, ...] = ()
    overrides: tuple[MetricsOverrides, ...] = ()
    reporting_interval: timedelta | None = None


class LiteralTag(Message, frozen=True, kw_only=True):
    """The same value in all spans."""

    required = ("value",)

    value: NonEmpty = ""


class EnvironmentTag(Message, frozen=True, kw_only=True):
    """The value of a variable of the proxy's environment."""

    required = ("name",)

    name: NonEmpty = ""
    default_value: str = ""


class HeaderTag(Message, frozen=True, kw_only=True):
    """The value of a request header."""

    required = ("name",)

    name: NonEmpty = ""
    default_value: str = ""


class FormatterTag(Message, frozen=True, kw_only=True):
    """An access log format string."""

    required = ("value",)

    value: NonEmpty = ""


class CustomTag(Message, frozen=True, kw_only=True):
    """Where the value of a span tag comes from."""

    oneofs = (("literal", "environment", "header", "formatter"),)

    literal: LiteralTag | None = None
    environment: EnvironmentTag | None = None
    header: HeaderTag | None = None
    formatter: FormatterTag | None = None


class TracingSelector(Message, frozen=True, kw_only=True):
    """Which traffic is traced."""

    mode: WorkloadMode = WorkloadMode.CLIENT_AND_SERVER


class Tracing(Message, frozen=True, kw_only=True):
    """Traces to a provider."""

    match: TracingSelector | None = None
    providers: tuple[ProviderRef, ...] = ()
    random_sampling_percentage: Annotated[float, msgspec.Meta(ge=0, le=100)] | None = None
    disable_span_reporting: bool | None = None
    custom_tags: Mapping[str, CustomTag] = {}
    use_request_id_for_trace_sampling: bool | None = None
    enable_istio_tags: bool | None = None
    disable_context_propagation: bool | None = None


class Telemetry(Message, frozen=True, kw_only=True):
    """Telemetry of the selected workloads or targets (neither: of the namespace)."""

    selector: PolicySelector | None = None
    target_ref: PolicyTargetReference | None = None
    target_refs: PolicyTargetReferences = ()
    tracing: tuple[Tracing, ...] = ()
    metrics: tuple[Metrics, ...] = ()
    access_logging: tuple[AccessLogging, ...] = ()
