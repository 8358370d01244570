from __future__ import annotations

from pathlib import Path

import pytest

from agent.identity import build_identity
from agent.launch import Paths
from agent.metrics import Registry
from agent.sds.errors import SecretError
from agent.sds.names import Workload
from tests.kit.agent import settings
from tests.kit.fake_clock import FakeClock
from tests.kit.inline_x509 import inline_x509


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
        told, Paths.of(told), foreign_sds=foreign, x509=inline_x509(), clock=FakeClock(), registry=Registry()
    )
    with pytest.raises(SecretError):
        await identity.secrets.get(Workload())


async def test_a_foreign_server_keeps_its_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours binds another one, for files."""
    monkeypatch.chdir(tmp_path)
    told = settings(tmp_path)
    registry = Registry()
    identity = build_identity(
        told, Paths.of(told), foreign_sds=True, x509=inline_x509(), clock=FakeClock(), registry=registry
    )
    async with identity.server:
        assert (tmp_path / "var/run/secrets/credential-uds/files-socket").is_socket()
        assert not (tmp_path / "var/run/secrets/workload-spiffe-uds/socket").exists()
