"""From Telemetry and the mesh configuration to the logs that listeners write."""

from __future__ import annotations

import json
from typing import Any

import pytest

from discovery.engine import Database
from discovery.mesh.telemetry import LoggedWorkload
from discovery.schema.extension_providers import EnvoyFileAccessLogProvider, ExtensionProvider, LogFormat
from discovery.schema.mesh_config import AccessLogEncoding, DefaultProviders, MeshConfig
from discovery.schema.telemetry import WorkloadMode
from discovery.store.cells import MESH
from discovery.translate.filters.access_log import DEFAULT_FIELDS, DEFAULT_LINE, FileLog
from discovery.translate.filters.workload_logs import mesh_access_logs, workload_access_logs

ANYBODY = LoggedWorkload("shop", (), WorkloadMode.CLIENT)


def _database(**mesh: Any) -> Database:
    db = Database()
    db.commit([(MESH, None, MeshConfig(**mesh))])
    return db


def _file(name: str, **fields: Any) -> ExtensionProvider:
    return ExtensionProvider(name=name, envoy_file_access_log=EnvoyFileAccessLogProvider(**fields))


def test_no_file_no_log() -> None:
    """Logging is off unless the mesh names a file."""
    assert mesh_access_logs(_database(), None) == ()
    assert workload_access_logs(_database(), ANYBODY) is None


def test_the_file_of_the_mesh() -> None:
    """In the default line, or in one's own; without a newline all entries would run together."""
    assert mesh_access_logs(_database(access_log_file="/l"), None) == (FileLog("/l", DEFAULT_LINE),)
    own = mesh_access_logs(_database(access_log_file="/l", access_log_format="%PROTOCOL%"), None)
    assert own == (FileLog("/l", "%PROTOCOL%\n"),)


def test_broken_json_format_falls_back() -> None:
    """A typing error in a format must not take listeners away: the default fields are written."""
    db = _database(access_log_file="/l", access_log_encoding=AccessLogEncoding.JSON, access_log_format="{")
    (log,) = mesh_access_logs(db, None)
    assert json.loads(log.fields) == dict(DEFAULT_FIELDS)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"path": "/l"}, FileLog("/l")),
        ({"path": "/l", "log_format": LogFormat(text="%PROTOCOL%")}, FileLog("/l", "%PROTOCOL%\n")),
        (
            {"path": "/l", "log_format": LogFormat(labels={"p": "%PROTOCOL%"})},
            FileLog("/l", fields='{"p":"%PROTOCOL%"}'),
        ),
        ({"path": "/l", "omit_empty_values": True}, FileLog("/l", omit_empty=True)),
    ],
)
def test_providers_that_are_files(fields: dict[str, Any], expected: FileLog) -> None:
    """Each as it is written; they take the place of the mesh's own file."""
    defaults = DefaultProviders(access_logging=("own",))
    db = _database(access_log_file="/mesh", extension_providers=(_file("own", **fields),), default_providers=defaults)
    assert workload_access_logs(db, ANYBODY) == (expected,)


def test_providers_that_cannot_serve_are_passed_over() -> None:
    """Unknown ones, and what is no log, leave the others alone; if none is left the mesh's own file is written."""
    none = DefaultProviders(access_logging=("unknown", "prometheus"))
    assert workload_access_logs(_database(default_providers=none), ANYBODY) is None
    some = DefaultProviders(access_logging=("unknown", "envoy"))
    assert workload_access_logs(_database(default_providers=some), ANYBODY) == (FileLog("/dev/stdout"),)
