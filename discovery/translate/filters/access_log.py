"""Access logs to a file, in Istio's default line or one of the user's own.

The default line is an interface: log pipelines parse it.

Spec: https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from discovery.translate.metadata import struct
from discovery.wire.envoy import CelFilter, FileAccessLog, pack

__all__ = ["DEFAULT_FIELDS", "DEFAULT_LINE", "FileLog", "access_log", "listener_access_log"]

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
    expression: str = ""  # CEL; what it rejects is not logged
    omit_empty: bool = False  # leave out what has no value, instead of writing "-" or null


@lru_cache(maxsize=32)  # the same few logs stand in every chain of every listener
def access_log(log: FileLog) -> dict[str, Any]:
    """The keyword form of ``accesslog.v3.AccessLog``; a constant, do not change it."""
    form: dict[str, Any] = {"omit_empty_values": log.omit_empty}
    if log.fields:
        form["json_format"] = struct(msgspec.json.decode(log.fields))
    else:
        form["text_format_source"] = {"inline_string": log.line}
    built: dict[str, Any] = {
        "name": "envoy.access_loggers.file",
        "typed_config": pack(FileAccessLog(path=log.path, log_format=form)),
    }
    if log.expression:
        built["filter"] = _accepted_by(log.expression)
    return built


def listener_access_log(log: FileLog) -> dict[str, Any]:
    """The same for a listener: only connections that no filter chain took, the others log for themselves."""
    unserved: dict[str, Any] = {"response_flag_filter": {"flags": ["NR"]}}
    if log.expression:
        unserved = {"and_filter": {"filters": [unserved, _accepted_by(log.expression)]}}
    return access_log(log) | {"filter": unserved}


def _accepted_by(expression: str) -> dict[str, Any]:
    return {
        "extension_filter": {
            "name": "envoy.access_loggers.extension_filters.cel",
            "typed_config": pack(CelFilter(expression=expression)),
        }
    }
