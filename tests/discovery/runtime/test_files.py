"""Atomic writes: whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.runtime.files import write_atomically


def test_content_and_mode_are_as_asked(tmp_path: Path) -> None:
    """Private unless told otherwise; nothing else is left in the directory."""
    path = tmp_path / "f"
    write_atomically(path, b"one")
    write_atomically(path, b"two", mode=0o644)
    assert path.read_bytes() == b"two"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_content(tmp_path: Path) -> None:
    """And no temporary file."""
    target = tmp_path / "directory"
    target.mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(target, b"x")
    assert list(tmp_path.iterdir()) == [target]


def test_a_missing_directory_is_told(tmp_path: Path) -> None:
    """It is not made silently."""
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "no" / "f", b"x")
