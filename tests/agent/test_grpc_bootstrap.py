"""The file for applications that speak xDS themselves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.grpc_bootstrap import GrpcBootstrapError, grpc_bootstrap_file, grpc_objection
from tests.kit.agent import launch, settings


def test_file_lies_there_while_the_agent_runs(tmp_path: Path) -> None:
    """Readable by the application's user; gone afterwards."""
    path = tmp_path / "x" / "grpc.json"
    told = settings(tmp_path, env={"GRPC_XDS_BOOTSTRAP": str(path)})
    with grpc_bootstrap_file(told, launch(told)):
        assert path.stat().st_mode & 0o777 == 0o644
        assert json.loads(path.read_text())["node"]["metadata"]["GENERATOR"] == "grpc"
    assert not path.exists()


def test_none_is_written_if_none_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty path turns it off."""
    monkeypatch.chdir(tmp_path)
    told = settings(tmp_path, env={"GRPC_XDS_BOOTSTRAP": "", "OUTPUT_CERTS": "out"})
    with grpc_bootstrap_file(told, launch(told)):
        assert list(tmp_path.iterdir()) == []
    assert grpc_objection(told) == ""


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """With the way to do without."""
    (tmp_path / "file").write_text("")
    told = settings(tmp_path, env={"GRPC_XDS_BOOTSTRAP": str(tmp_path / "file" / "grpc.json")})
    with (
        pytest.raises(GrpcBootstrapError, match="set GRPC_XDS_BOOTSTRAP to nothing"),
        grpc_bootstrap_file(told, launch(told)),
    ):
        pass


def test_certificates_must_be_there(tmp_path: Path) -> None:
    """The application would start without an identity."""
    told = settings(tmp_path, env={"OUTPUT_CERTS": str(tmp_path)})
    for name in ("cert-chain.pem", "key.pem", "root-cert.pem"):
        assert name in grpc_objection(told)
        (tmp_path / name).write_text("")
    assert grpc_objection(told) == ""
    assert grpc_objection(settings(tmp_path)) == ""
