"""Access logs to a file, in Istio's default line or one of the user's own.

The default line is an interface: log pipelines parse it.

Spec: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from discovery.engine import Database, query
from discovery.schema.extension_providers import EnvoyFileAccessLogProvider
from discovery.schema.mesh_config import AccessLogEncoding, MeshConfig
from discovery.store.cells import MESH
from discovery.translate.metadata import struct
from discovery.wire.envoy import FileAccessLog, pack

__all__ = ["DEFAULT_FIELDS", "DEFAULT_LINE", "FileLog", "access_log", "listener_access_log", "mesh_access_logs"]

_FIELDS: Final = (  # in the order of the text line; quoted ones may hold blanks
    ("start_time", "[%START_TIME%]"),
    ("", '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%"'),
    ("response_code", "%RESPONSE_CODE%"),
    ("response_flags", "%RESPONSE_FLAGS%"),
    ("response_code_details", "%RESPONSE_CODE_DETAILS%"),
    ("connection_termination_details", "%CONNECTION_TERMINATION_DETAILS%"),
    ("upstream_transport_failure_reason", '"%UPSTREAM_TRANSPORT_FAILURE_REASON%"'),
    ("bytes_received", "%BYTES_RECEIVED%"),
    ("bytes_sent", "%BYTES_SENT%"),
    ("duration", "%DURATION%"),
    ("upstream_service_time", "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%"),
    ("x_forwarded_for", '"%REQ(X-FORWARDED-FOR)%"'),
    ("user_agent", '"%REQ(USER-AGENT)%"'),
    ("request_id", '"%REQ(X-REQUEST-ID)%"'),
    ("authority", '"%REQ(:AUTHORITY)%"'),
    ("upstream_host", '"%UPSTREAM_HOST%"'),
    ("upstream_cluster", "%UPSTREAM_CLUSTER_RAW%"),
    ("upstream_local_address", "%UPSTREAM_LOCAL_ADDRESS%"),
    ("downstream_local_address", "%DOWNSTREAM_LOCAL_ADDRESS%"),
    ("downstream_remote_address", "%DOWNSTREAM_REMOTE_ADDRESS%"),
    ("requested_server_name", "%REQUESTED_SERVER_NAME%"),
    ("route_name", "%ROUTE_NAME%"),
)

DEFAULT_LINE: Final = " ".join(text for _, text in _FIELDS) + "\n"
"""The text line written where the mesh configuration names no format."""

DEFAULT_FIELDS: Final[Mapping[str, str]] = {name: text.strip('[]"') for name, text in _FIELDS if name} | {
    "method": "%REQ(:METHOD)%",
    "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%",
    "protocol": "%PROTOCOL%",
}
"""The same as a JSON object."""


class FileLog(msgspec.Struct, frozen=True, cache_hash=True):
    """An access log to a file: one text line, or a JSON object written as text (``fields``)."""

    path: str
    line: str = DEFAULT_LINE
    fields: str = ""


@query
def mesh_access_logs(db: Database, _: None) -> tuple[FileLog, ...]:
    """The logs that the mesh configuration asks of every listener: its file, and default providers that are files."""
    mesh = MESH(db, None)
    logs = [_own(mesh)] if mesh.access_log_file else []
    providers = {provider.name: provider.envoy_file_access_log for provider in mesh.extension_providers}
    named = (providers.get(name) for name in mesh.default_providers.access_logging)
    return tuple(dict.fromkeys((*logs, *(_provided(provider) for provider in named if provider is not None))))


def _own(mesh: MeshConfig) -> FileLog:
    if mesh.access_log_encoding is AccessLogEncoding.TEXT:
        return FileLog(mesh.access_log_file, _line(mesh.access_log_format))
    return FileLog(mesh.access_log_file, fields=_json_object(mesh.access_log_format))


def _provided(provider: EnvoyFileAccessLogProvider) -> FileLog:
    form = provider.log_format
    if form is not None and form.labels is not None:
        fields = form.labels or DEFAULT_FIELDS
        return FileLog(provider.path, fields=msgspec.json.encode(fields, order="sorted").decode())
    return FileLog(provider.path, _line(form.text or "" if form is not None else ""))


def _line(text: str) -> str:
    text = text or DEFAULT_LINE
    return text if text.endswith("\n") else text + "\n"


def _json_object(text: str) -> str:
    """The format if it is a JSON object, else the default one: a typing error must not take all listeners away."""
    try:
        msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return msgspec.json.encode(DEFAULT_FIELDS, order="sorted").decode()
    return text


@lru_cache(maxsize=32)  # the same few logs stand in every chain of every listener
def access_log(log: FileLog) -> dict[str, Any]:
    """The keyword form of ``accesslog.v3.AccessLog``; a constant, do not change it."""
    if log.fields:
        form: dict[str, Any] = {"json_format": struct(msgspec.json.decode(log.fields))}
    else:
        form = {"text_format_source": {"inline_string": log.line}}
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": pack(FileAccessLog(path=log.path, log_format=form)),
    }


def listener_access_log(log: FileLog) -> dict[str, Any]:
    """The same for a listener: only connections that no filter chain took, the others log for themselves."""
    return access_log(log) | {"filter": {"response_flag_filter": {"flags": ["NR"]}}}
