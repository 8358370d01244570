"""`pilotctl x workload`."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from discovery.auth.dev_issuer import DevIssuer
from tests.kit.certs import root_ca
from tests.kit.ctl import pilotctl


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with the group, a root certificate and the issuer of tokens."""
    made = pilotctl("x", "workload", "group", "create", "--name", "vm", "-n", "shop", "-s", "web", "-p", "http=8080")
    assert made.exit_code == 0, made.output
    (tmp_path / "config").mkdir()
    (tmp_path / "config/group.yaml").write_text(made.output, encoding="utf-8")
    (tmp_path / "root.pem").write_bytes(root_ca().certificate.public_bytes(Encoding.PEM))
    DevIssuer.open(tmp_path / "tokens")
    return tmp_path


def _configure(place: Path, *more: str, cluster: str = "Kubernetes") -> tuple[int, str]:
    done = pilotctl(
        "x", "workload", "entry", "configure", "-o", str(place / "out"), "--root-cert", str(place / "root.pem"),
        f"--clusterID={cluster}", *more,
    )  # fmt: skip
    return done.exit_code, done.output


def test_files_are_written(place: Path) -> None:
    """From the created group; the token is issued, and private."""
    group = ("-f", str(place / "config/group.yaml"))
    code, output = _configure(place, *group, "--dev-token-dir", str(place / "tokens"))
    assert code == 0, output
    names = ["cluster.env", "hosts", "istio-token", "mesh.yaml", "root-cert.pem"]
    assert sorted(path.name for path in (place / "out").iterdir()) == names
    assert (place / "out/istio-token").stat().st_mode & 0o077 == 0
    assert (place / "out/istio-token").read_text().count(".") == 2
    assert "SERVICE_ACCOUNT='web'" in (place / "out/cluster.env").read_text()


def test_a_given_token_is_taken(place: Path) -> None:
    """Without the end of its line."""
    (place / "token").write_text("abc\n")
    group = ("--config-dir", str(place / "config"), "--name", "vm", "-n", "shop")
    code, output = _configure(place, *group, "--token-file", str(place / "token"))
    assert code == 0, output
    assert (place / "out/istio-token").read_text() == "abc"


def test_what_is_missing_is_said(place: Path) -> None:
    """The group, its name, the token, the cluster; nothing is written."""
    group = ("-f", str(place / "config/group.yaml"))
    (place / "empty").write_text("")
    issued = ("--dev-token-dir", str(place / "tokens"))
    for more, said in (
        (issued, "want the WorkloadGroup either as --file"),
        ((*group, "--config-dir", str(place), *issued), "want the WorkloadGroup either as --file"),
        (("--config-dir", str(place), *issued), "--config-dir with --name"),
        (group, "want the token either as --token-file"),
        ((*group, "--token-file", str(place / "empty")), "is empty"),
        ((*group, "--dev-token-dir", str(place / "config")), "chmod 700"),
    ):
        code, output = _configure(place, *more)
        assert (code, said in output) == (1, True), output
    code, output = _configure(place, *group, *issued, cluster="")
    assert "failed to automatically determine the --clusterID" in output
    assert code == 1
    assert not (place / "out").exists()


def test_a_wrong_port_is_said() -> None:
    """Before anything is printed."""
    done = pilotctl("x", "workload", "group", "create", "--name", "vm", "-n", "shop", "-p", "http=web")
    assert (done.exit_code, done.stdout) == (1, "")
