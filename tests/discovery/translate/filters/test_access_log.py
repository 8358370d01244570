from __future__ import annotations

import json

from discovery.engine import Database
from discovery.schema.extension_providers import EnvoyFileAccessLogProvider, ExtensionProvider, LogFormat
from discovery.schema.mesh_config import AccessLogEncoding, DefaultProviders, MeshConfig
from discovery.store.cells import MESH
from discovery.translate.filters.access_log import (
    DEFAULT_FIELDS,
    DEFAULT_LINE,
    FileLog,
    access_log,
    listener_access_log,
    mesh_access_logs,
)
from discovery.wire.envoy import FileAccessLog


def _logs(mesh: MeshConfig) -> tuple[FileLog, ...]:
    db = Database()
    db.commit([(MESH, None, mesh)])
    return mesh_access_logs(db, None)


def test_no_file_no_log() -> None:
    """Logging is off unless the mesh names a file."""
    assert _logs(MeshConfig()) == ()


def test_default_line() -> None:
    """The default line has the same operators as the JSON object, in Istio's order, and ends in a newline."""
    (log,) = _logs(MeshConfig(access_log_file="/dev/stdout"))
    assert log.line == DEFAULT_LINE
    assert DEFAULT_LINE.startswith('[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ')
    assert DEFAULT_LINE.endswith("%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n")
    assert DEFAULT_LINE.count("%") == 2 * (len(DEFAULT_FIELDS))


def test_own_line_ends_in_a_newline() -> None:
    """A format without a newline would run all entries together."""
    (log,) = _logs(MeshConfig(access_log_file="/l", access_log_format="%PROTOCOL%"))
    assert log.line == "%PROTOCOL%\n"


def test_broken_json_format_falls_back() -> None:
    """A typing error in a format must not take listeners away: the default fields are written."""
    mesh = MeshConfig(access_log_file="/l", access_log_encoding=AccessLogEncoding.JSON, access_log_format="{")
    (log,) = _logs(mesh)
    assert json.loads(log.fields) == dict(DEFAULT_FIELDS)


def test_default_providers_that_are_files() -> None:
    """Providers that the mesh names as defaults log too, each once; labels without content stand for Istio's own."""
    labelled = ExtensionProvider(
        name="json",
        envoy_file_access_log=EnvoyFileAccessLogProvider(path="/j", log_format=LogFormat(labels={})),
    )
    mesh = MeshConfig(
        access_log_file="/dev/stdout",
        extension_providers=(*MeshConfig().extension_providers, labelled),
        default_providers=DefaultProviders(access_logging=("envoy", "json", "unknown")),
    )
    own, second = _logs(mesh)
    assert own == FileLog("/dev/stdout")
    assert (second.path, json.loads(second.fields)) == ("/j", dict(DEFAULT_FIELDS))


def test_json_fields_are_a_structure() -> None:
    """JSON formats become Envoy's ``json_format``."""
    packed = access_log(FileLog("/l", fields='{"p": "%PROTOCOL%"}'))["typed_config"]["value"]
    message = FileAccessLog.FromString(packed)
    assert message.log_format.json_format["p"] == "%PROTOCOL%"


def test_listener_logs_what_no_chain_took() -> None:
    """The listener's own log is for connections that met no filter chain."""
    assert listener_access_log(FileLog("/l"))["filter"] == {"response_flag_filter": {"flags": ["NR"]}}
