from __future__ import annotations

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from agent.identity import build_identity
from agent.launch import Paths
from agent.sds.errors import SecretError
from agent.sds.names import Workload
from tests.kit.agent import settings
from tests.kit.fake_clock import FakeClock


@pytest.mark.parametrize(
    ("env", "foreign"),
    [({"FILE_MOUNTED_CERTS": "true"}, False), ({}, True), ({"CA_PROVIDER": "GkeWorkloadCertificate"}, False)],
)
async def test_no_ca_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: dict[str, str], *, foreign: bool
) -> None:
    """Where the identity is in files, or somebody else serves it."""
    monkeypatch.chdir(tmp_path)
    told = settings(tmp_path, env=env)
    identity = build_identity(
        told, Paths.of(told), foreign_sds=foreign, clock=FakeClock(), registry=CollectorRegistry()
    )
    with pytest.raises(SecretError):
        await identity.secrets.get(Workload())


async def test_a_foreign_server_keeps_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours binds another one, for files."""
    monkeypatch.chdir(tmp_path)
    told = settings(tmp_path)
    registry = CollectorRegistry()
    identity = build_identity(told, Paths.of(told), foreign_sds=True, clock=FakeClock(), registry=registry)
    async with identity.server:
        assert (tmp_path / "var/run/secrets/credential-uds/files-socket").is_socket()
        assert not (tmp_path / "var/run/secrets/workload-spiffe-uds/socket").exists()
