"""What names of secrets ask for."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.sds.names import (
    FilePair,
    FileRoots,
    OsRoots,
    SecretSource,
    Workload,
    WorkloadRoots,
    is_known,
    parse_secret_name,
)


@pytest.mark.parametrize(
    ("name", "source", "known"),
    [
        ("default", Workload(), True),
        ("ROOTCA", WorkloadRoots(), True),
        ("file-root:/etc/certs/root.pem", FileRoots(Path("/etc/certs/root.pem")), True),
        ("file-root:system", OsRoots(), True),
        ("file-cert:/a/cert.pem~/a/key.pem", FilePair(Path("/a/cert.pem"), Path("/a/key.pem")), True),
        ("kubernetes://ingress", Workload(), False),
        ("", Workload(), False),
    ],
)
def test_sources(name: str, source: SecretSource, *, known: bool) -> None:
    """Names have Istio's meaning; an unknown one falls through to the workload's certificate."""
    assert parse_secret_name(name) == source
    assert is_known(name) is known


@pytest.mark.parametrize("name", ["file-cert:/a", "file-cert:/a~", "file-cert:~/b", "file-cert:/a~/b~/c"])
def test_file_pair_needs_two_paths(name: str) -> None:
    """A pair without exactly two paths is a mistake of the configuration, told with the form wanted."""
    with pytest.raises(ValueError, match="want file-cert:<certificate path>~<key path>"):
        parse_secret_name(name)
