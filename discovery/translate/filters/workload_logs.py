"""Which access logs the listeners of a workload write: from names of providers to what is rendered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from discovery.engine import Database, query
from discovery.mesh.telemetry import AccessLogChoice, LoggedWorkload, access_logging, extension_provider
from discovery.schema.extension_providers import EnvoyFileAccessLogProvider
from discovery.schema.mesh_config import AccessLogEncoding, MeshConfig
from discovery.store.cells import MESH
from discovery.translate.filters.access_log import DEFAULT_FIELDS, DEFAULT_LINE, FileLog

__all__ = ["mesh_access_logs", "workload_access_logs"]


@query
def mesh_access_logs(db: Database, _: None) -> tuple[FileLog, ...]:
    """The log that the mesh configuration asks of every workload of which nothing else is said: its file, or none."""
    mesh = MESH(db, None)
    return (_own(mesh),) if mesh.access_log_file else ()


@query
def workload_access_logs(db: Database, workload: LoggedWorkload) -> tuple[FileLog, ...] | None:
    """The logs that Telemetry and default providers ask of a workload; None: what the mesh asks of all.

    Providers that are not there, or that are no files, are passed over.
    """
    chosen = access_logging(db, workload)
    if not chosen:
        return None if chosen is None else ()
    return tuple(log for choice in chosen if (log := _provided(db, choice)) is not None) or None


def _provided(db: Database, choice: AccessLogChoice) -> FileLog | None:
    found = extension_provider(db, choice.provider)
    if found is None or found.envoy_file_access_log is None:
        return None
    return _file_log(found.envoy_file_access_log, choice.expression)


def _file_log(provider: EnvoyFileAccessLogProvider, expression: str) -> FileLog:
    form = provider.log_format
    log = FileLog(provider.path, expression=expression, omit_empty=provider.omit_empty_values)
    if form is not None and form.labels is not None:
        return msgspec.structs.replace(log, fields=_encoded(form.labels or DEFAULT_FIELDS))
    return msgspec.structs.replace(log, line=_line(form.text or "" if form is not None else ""))


def _own(mesh: MeshConfig) -> FileLog:
    if mesh.access_log_encoding is AccessLogEncoding.TEXT:
        return FileLog(mesh.access_log_file, _line(mesh.access_log_format))
    return FileLog(mesh.access_log_file, fields=_json_object(mesh.access_log_format))


def _line(text: str) -> str:
    text = text or DEFAULT_LINE
    return text if text.endswith("\n") else text + "\n"


def _encoded(fields: Mapping[str, Any]) -> str:
    return msgspec.json.encode(fields, order="sorted").decode()


def _json_object(text: str) -> str:
    """The format if it is a JSON object, else the default one: a typing error must not take all listeners away."""
    try:
        msgspec.json.decode(text, type=dict[str, Any])
    except msgspec.MsgspecError:
        return _encoded(DEFAULT_FIELDS)
    return text
