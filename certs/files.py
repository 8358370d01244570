"""Key and certificate files: whole or not at all, and never readable by others by accident.

Agents and Envoys watch these files. A reader must see the old or the new content; a crash must leave one of both.
"""

from __future__ import annotations

import os
import tempfile
from enum import IntEnum
from pathlib import Path

__all__ = ["FileMode", "create_private", "write_atomically", "write_if_changed"]


class FileMode(IntEnum):
    """Who may read a file."""

    PRIVATE = 0o600
    PUBLIC = 0o644


def write_atomically(path: Path, data: bytes, *, mode: FileMode) -> None:
    """Replace `path` by `data`: synced to disk, then renamed into place, so that no reader sees a part.

    Raises:
        OSError: the directory is missing or not writable; the old file is as it was and nothing is left behind.
    """
    temporary = _write_beside(path, data, mode)
    try:
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_directory(path.parent)


def create_private(path: Path, data: bytes) -> bool:
    """Make a private file, whole, unless it exists already; whether this call made it. Of several makers one wins.

    Raises:
        OSError: the directory is missing or not writable.
    """
    temporary = _write_beside(path, data, FileMode.PRIVATE)
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    _sync_directory(path.parent)
    return True


def _write_beside(path: Path, data: bytes, mode: FileMode) -> Path:
    """A temporary file in the same directory, synced to disk."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # made with mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def write_if_changed(path: Path, data: bytes, *, mode: FileMode) -> bool:
    """Write only what differs from what is there, so that watchers are not woken for nothing; whether it wrote.

    Raises:
        OSError: as `write_atomically`.
    """
    try:
        same = path.read_bytes() == data and path.stat().st_mode & 0o777 == mode
    except FileNotFoundError:
        same = False
    if not same:
        write_atomically(path, data, mode=mode)
    return not same


def _sync_directory(directory: Path) -> None:
    """Make the rename itself survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
