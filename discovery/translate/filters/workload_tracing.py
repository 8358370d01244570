"""Which spans the listeners of a workload report: from Telemetry and the proxy's own tracing to what is rendered.

A provider whose service the workload does not see is passed over: a tracer without its cluster would have Envoy
refuse the listener.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Final, NamedTuple

import msgspec

from discovery.engine import Database, query
from discovery.mesh.proxy import Labels, ScopeKey
from discovery.mesh.scope import InScope, scope_service
from discovery.mesh.services import service
from discovery.mesh.telemetry import LoggedWorkload, extension_provider
from discovery.mesh.tracing import TracingChoice, mesh_sampling, tracing
from discovery.registry.service import ProtocolClass
from discovery.schema.extension_providers import ExtensionProvider, TracingProvider
from discovery.schema.proxy_config import ProxyTracing
from discovery.schema.telemetry import CustomTag, WorkloadMode
from discovery.store.cells import MESH
from discovery.translate.filters.tracing import Protocol, SpanTag, TagSource, Tracer, Tracing
from discovery.wire.durations import DurationError, parse_duration
from discovery.wire.names import outbound_cluster

__all__ = ["TracedWorkload", "workload_tracing"]

_DEFAULT_TIMEOUT: Final = timedelta(seconds=10)
_ISTIO_TAGS: Final = tuple(
    SpanTag(name, TagSource.ENVIRONMENT, variable)
    for name, variable in (
        ("istio.cluster_id", "ISTIO_META_CLUSTER_ID"),
        ("istio.mesh_id", "ISTIO_META_MESH_ID"),
        ("istio.namespace", "POD_NAMESPACE"),
    )
)


class TracedWorkload(NamedTuple):
    """A workload, one direction of its traffic, and what its own configuration says of tracing (JSON; or empty)."""

    scope: ScopeKey
    labels: Labels
    mode: WorkloadMode
    bootstrap: str = ""


@query
def workload_tracing(db: Database, workload: TracedWorkload) -> Tracing | None:
    """The tracing of a workload's connection managers; None: none."""
    choice = tracing(db, LoggedWorkload(workload.scope.namespace, workload.labels, workload.mode))
    own = _own(workload.bootstrap)
    if choice is None:
        return _by_bootstrap(own, mesh_sampling(db, None)) if own is not None and _is_enabled(db, None) else None
    found = extension_provider(db, choice.provider) if choice.provider else None
    spoken = _spoken(found) if found is not None else None
    tracer = _tracer(db, workload.scope, spoken) if spoken is not None else None
    if spoken is None or tracer is None:
        return None
    return Tracing(
        tracer=tracer,
        sampling=_sampling(choice, own, mesh_sampling(db, None)),
        tags=_tags(choice.tags, istio=choice.istio_tags),
        max_path_length=spoken.provider.max_tag_length,
    )


@query
def _is_enabled(db: Database, _: None) -> bool:
    return MESH(db, None).enable_tracing


def _own(text: str) -> ProxyTracing | None:
    """What a proxy says of its bootstrap's tracer; what cannot be read of that is left out, not the listener."""
    if not text:
        return None
    try:
        return msgspec.json.decode(text, type=ProxyTracing)
    except msgspec.MsgspecError:
        return ProxyTracing()


def _by_bootstrap(own: ProxyTracing, sampling: float) -> Tracing:
    return Tracing(
        sampling=own.sampling or sampling,
        tags=_tags(sorted(own.custom_tags.items()), istio=own.enable_istio_tags is not False),
        max_path_length=own.max_path_tag_length,
    )


def _sampling(choice: TracingChoice, own: ProxyTracing | None, sampling: float) -> float:
    if choice.sampling is not None:
        return choice.sampling
    return own.sampling if own is not None and own.sampling else sampling


def _tags(tags: Iterable[tuple[str, CustomTag]], *, istio: bool) -> tuple[SpanTag, ...]:
    named = {tag.name: tag for tag in _ISTIO_TAGS} if istio else {}
    for name, tag in tags:
        if tag.literal is not None:
            named[name] = SpanTag(name, TagSource.LITERAL, tag.literal.value)
        elif tag.environment is not None:
            named[name] = SpanTag(name, TagSource.ENVIRONMENT, tag.environment.name, tag.environment.default_value)
        elif tag.header is not None:
            named[name] = SpanTag(name, TagSource.HEADER, tag.header.name, tag.header.default_value)
        elif tag.formatter is not None:
            named[name] = SpanTag(name, TagSource.FORMAT, tag.formatter.value)
    return tuple(tag for _, tag in sorted(named.items()))


class _Spoken(NamedTuple):
    protocol: Protocol
    provider: TracingProvider


def _spoken(found: ExtensionProvider) -> _Spoken | None:
    """How a provider is spoken to; None: it is no collector of spans that is supported."""
    if found.zipkin is not None:
        return _Spoken(Protocol.ZIPKIN, found.zipkin)
    if found.opentelemetry is not None:
        by_http = found.opentelemetry.http is not None
        return _Spoken(Protocol.OTLP_HTTP if by_http else Protocol.OTLP_GRPC, found.opentelemetry)
    return None


def _tracer(db: Database, scope: ScopeKey, spoken: _Spoken) -> Tracer | None:
    protocol, said = spoken
    host = said.service.rpartition("/")[2].lower()  # a namespace may stand before it
    ref = scope_service(db, InScope(scope, host))
    found = service(db, ref) if ref is not None else None
    port = found.port(said.port) if found is not None else None
    if port is None or port.protocol.family is ProtocolClass.UDP:
        return None
    further = (said.http if protocol is Protocol.OTLP_HTTP else said.grpc) or {}
    return Tracer(
        protocol=protocol,
        cluster=outbound_cluster(host, said.port),
        host=host,
        port=said.port,
        path=said.path or str(further.get("path", "")),
        timeout=_timeout(further.get("timeout")),
        headers=_headers(further),
        short_ids=said.enable_64bit_trace_id,
        w3c=said.trace_context_option == "USE_B3_WITH_W3C_PROPAGATION",
    )


def _timeout(text: Any) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(text)) if isinstance(text, str) else _DEFAULT_TIMEOUT
    except DurationError:
        return _DEFAULT_TIMEOUT


def _headers(further: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Headers with a value written out; those from the control plane's environment are none of a proxy's."""
    entries = further.get("headers") or further.get("initialMetadata") or ()
    pairs = ((entry.get("name"), entry.get("value")) for entry in entries if isinstance(entry, Mapping))
    return tuple((str(name), str(value)) for name, value in pairs if name and value)
