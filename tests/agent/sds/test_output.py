"""Certificates written for others."""

from __future__ import annotations

import stat
from pathlib import Path

from agent.sds.output import CertificateOutput
from certs.files import FileMode


async def test_files_and_modes(tmp_path: Path) -> None:
    """Only what is given is written, with the mode asked for, into a directory that is made."""
    directory = tmp_path / "out"
    await CertificateOutput(directory, FileMode.PUBLIC).write({"root-cert.pem": b"root"})
    assert [path.name for path in directory.iterdir()] == ["root-cert.pem"]
    assert stat.S_IMODE((directory / "root-cert.pem").stat().st_mode) == 0o644


async def test_unchanged_files_are_not_touched(tmp_path: Path) -> None:
    """Watchers of the files are not woken for nothing."""
    output = CertificateOutput(tmp_path, FileMode.PRIVATE)
    await output.write({"key.pem": b"key"})
    before = (tmp_path / "key.pem").stat()
    await output.write({"key.pem": b"key"})
    after = (tmp_path / "key.pem").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


async def test_failure_stops_nothing(tmp_path: Path) -> None:
    """A directory that cannot be written to is told, not raised: Envoy is served from memory."""
    (tmp_path / "file").write_text("in the way")
    await CertificateOutput(tmp_path / "file", FileMode.PRIVATE).write({"key.pem": b"key"})
    await CertificateOutput(None, FileMode.PRIVATE).write({"key.pem": b"key"})
