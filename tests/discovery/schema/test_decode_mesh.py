from __future__ import annotations

from datetime import timedelta

import yaml

from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin

ORIGIN = Origin(path="mesh", line=1)


def mesh(text: str) -> MeshConfig:
    config, findings = decode_mesh_config(yaml.safe_load(text), origin=ORIGIN)
    assert not findings
    assert config is not None
    return config


def test_nothing_written_is_the_default() -> None:
    """An empty file is Istio's defaults."""
    assert mesh("") == MeshConfig()


def test_proxy_config_is_merged_field_by_field() -> None:
    """What is written of defaultConfig replaces that field only."""
    config = mesh("defaultConfig: {drainDuration: 5s}").default_config
    assert config.drain_duration == timedelta(seconds=5)
    assert config.discovery_address == "istiod.istio-system.svc:15012"


def test_extension_providers_are_merged_by_name() -> None:
    """A provider of a default's name replaces it, another is added."""
    config = mesh("""
        extensionProviders:
        - {name: envoy, envoyFileAccessLog: {path: /tmp/log}}
        - {name: authz, envoyExtAuthzGrpc: {service: a.b, port: 9}}
    """)
    assert [provider.name for provider in config.extension_providers] == ["prometheus", "stackdriver", "envoy", "authz"]
    log = config.extension_providers[2].envoy_file_access_log
    assert log is not None
    assert log.path == "/tmp/log"


def test_errors_leave_no_configuration() -> None:
    """The caller keeps the last good one."""
    config, findings = decode_mesh_config({"connectTimeout": 10}, origin=ORIGIN)
    assert config is None
    assert str(findings[0]).startswith("mesh:1: MeshConfig: connectTimeout: want a duration")
