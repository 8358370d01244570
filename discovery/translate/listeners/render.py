"""From a listener as a value to its bytes."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any, Final, NamedTuple

from discovery.engine import Database, query
from discovery.mesh.settings import mesh_tls
from discovery.store.cells import MESH
from discovery.translate.filters.access_log import FileLog, listener_access_log
from discovery.translate.filters.http import Side
from discovery.translate.filters.inspectors import ORIGINAL_DST, http_inspector, original_src, tls_inspector
from discovery.translate.filters.tracing import Tracing
from discovery.translate.filters.workload_logs import mesh_access_logs
from discovery.translate.listeners.binding import UNIX
from discovery.translate.listeners.filter_chain import ChainBuilder, ListenerSettings
from discovery.translate.listeners.spec import ListenerShape, ListenerSpec
from discovery.wire.envoy import Listener, serialize
from discovery.wire.protowire import bytes_field, string_field, uint_field
from discovery.wire.resource import Resource, content_version
from discovery.wire.type_urls import LISTENER

__all__ = ["NOTHING_SAID", "ListenerKey", "ListenerTelemetry", "build_listener", "listener", "listener_settings"]

_CAPTURE_MARK: Final = 1337  # on packets that the proxy sends for the application (TPROXY)

# Field numbers of listener.v3.Listener, of its AdditionalAddress, and of core.v3.Address and SocketAddress.
_NAME, _ADDRESS, _FILTER_CHAINS, _DEFAULT_FILTER_CHAIN, _ADDITIONAL_ADDRESSES = 1, 2, 3, 25, 33
_ADDITIONAL_ADDRESS = 1
_SOCKET_ADDRESS, _PIPE, _PIPE_PATH = 1, 2, 1
_SOCKET_IP, _SOCKET_PORT = 2, 3


class ListenerTelemetry(NamedTuple):
    """What listeners of a workload tell of its traffic, in one direction."""

    access_logs: tuple[FileLog, ...] | None = None  # None: what the mesh asks of every workload
    tracing: Tracing | None = None


NOTHING_SAID: Final = ListenerTelemetry()


class ListenerKey(NamedTuple):
    """All that a listener's bytes depend on besides the mesh configuration."""

    spec: ListenerSpec
    telemetry: ListenerTelemetry = NOTHING_SAID


@query
def listener_settings(db: Database, telemetry: ListenerTelemetry) -> ListenerSettings:
    """Settings of the mesh, read once for each set of logs: other changes of the mesh do not reach listeners."""
    access_logs = telemetry.access_logs
    mesh = MESH(db, None)
    named = (domain for authority in mesh.ca_certificates for domain in authority.trust_domains)
    return ListenerSettings(
        detection_timeout=mesh.protocol_detection_timeout,
        normalization=mesh.path_normalization.normalization,
        access_logs=mesh_access_logs(db, None) if access_logs is None else access_logs,
        listener_logs=not mesh.disable_envoy_listener_log,
        tracing=telemetry.tracing,
        tls=mesh_tls(db, None),
        trust_domains=tuple(dict.fromkeys((mesh.trust_domain, *mesh.trust_domain_aliases, *named))),
    )


@query
def listener(db: Database, key: ListenerKey) -> Resource:
    """The listener as it goes on the wire."""
    value = build_listener(key.spec, listener_settings(db, key.telemetry))
    return Resource(key.spec.name, content_version(value), LISTENER, value)


def build_listener(spec: ListenerSpec, settings: ListenerSettings) -> bytes:
    """``listener.v3.Listener``, serialised.

    Serialised messages one after the other read as their merger: what listeners have in common is serialised once,
    and there may be a listener for each of thousands of services.
    """
    chains = ChainBuilder(spec.shape, settings)
    out = [string_field(_NAME, spec.name), bytes_field(_ADDRESS, _address(spec.binds[0], spec.port))]
    out += [bytes_field(_FILTER_CHAINS, chains.build(chain)) for chain in spec.chains]
    if spec.default_chain is not None:
        out.append(bytes_field(_DEFAULT_FILTER_CHAIN, chains.build(spec.default_chain)))
    for bind in spec.binds[1:]:
        additional = bytes_field(_ADDITIONAL_ADDRESS, _address(bind, spec.port))
        out.append(bytes_field(_ADDITIONAL_ADDRESSES, additional))
    out.append(_common(spec.shape, settings))
    return b"".join(out)


def _address(bind: str, port: int) -> bytes:
    """``core.v3.Address``."""
    if bind.startswith(UNIX):
        return bytes_field(_PIPE, string_field(_PIPE_PATH, bind.removeprefix(UNIX)))
    return bytes_field(_SOCKET_ADDRESS, string_field(_SOCKET_IP, bind) + uint_field(_SOCKET_PORT, port))


@lru_cache(maxsize=64)  # proxies of a mesh have few shapes, and the settings change seldom
def _common(shape: ListenerShape, settings: ListenerSettings) -> bytes:
    out: dict[str, Any] = {"traffic_direction": "OUTBOUND" if shape.side is Side.OUTBOUND else "INBOUND"}
    if shape.captured:
        out["bind_to_port"] = {"value": False}
    else:
        # One at a time: a burst of connections is spread over the workers instead of going to the first awake.
        out["max_connections_to_accept_per_socket_event"] = {"value": 1}
    if shape.hands_off:
        out["use_original_dst"] = {"value": True}
    if shape.transparent:
        out["transparent"] = {"value": True}
    _inspect(out, shape, settings)
    if settings.access_logs and settings.listener_logs:
        out["access_log"] = [listener_access_log(log) for log in settings.access_logs]
    return serialize(Listener(**out))


def _inspect(out: dict[str, Any], shape: ListenerShape, settings: ListenerSettings) -> None:
    filters = [ORIGINAL_DST] if shape.original_dst else []
    if shape.transparent and shape.side is Side.INBOUND:
        filters.append(original_src(_CAPTURE_MARK))
    if shape.tls_inspection is not None:
        filters.append(tls_inspector(shape.tls_inspection))
    timeout = timedelta(0)
    if shape.http_inspection is not None:
        filters.append(http_inspector(shape.http_inspection))
        timeout = settings.detection_timeout
    if shape.tls_inspection is not None or shape.http_inspection is not None:
        # No verdict is one too: the connection goes on as plain TCP. 0 waits for the first bytes without limit.
        out["continue_on_listener_filters_timeout"] = True
        out["listener_filters_timeout"] = timeout
    if filters:
        out["listener_filters"] = filters
