"""What a directory holds, by names and file status, and the content of files that are different from before.

Blocking; runs in a thread. Values in, values out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from discovery.schema.findings import Finding
from discovery.schema.meta import Origin
from discovery.sources.documents import MAX_FILE_BYTES, FileContent, read_documents, unreadable_file
from discovery.sources.watch import Directory, existing, identify

__all__ = ["Known", "Scan", "Signature", "scan"]

_SUFFIXES: Final = (".yaml", ".yml")


class Signature(NamedTuple):
    """What changes when a file is written or replaced."""

    modified_ns: int
    size: int
    inode: int
    device: int


class Known(NamedTuple):
    """Files as they were at the last scan."""

    signatures: Mapping[str, Signature] = {}
    contents: Mapping[str, FileContent] = {}


class Scan(NamedTuple):
    """A look at a directory."""

    signatures: dict[str, Signature]
    read: tuple[FileContent, ...]  # files that are new or different
    gone: tuple[str, ...]  # files that are not there any more
    directories: frozenset[Directory]  # to be watched
    findings: tuple[Finding, ...]  # about directories


class _Walk:
    """Collects the files below a directory; hidden ones are not looked at (``..data`` of ConfigMap volumes)."""

    def __init__(self) -> None:
        self.files: dict[str, Signature] = {}
        self.directories: set[Directory] = set()
        self.unreadable: list[str] = []
        self.findings: list[Finding] = []
        self._seen: set[tuple[int, int]] = set()

    def enter(self, path: str) -> None:
        """Go through a directory and those below it; links are followed, each directory once."""
        here = identify(path)
        try:
            entries = sorted(os.scandir(path), key=lambda entry: entry.name)
        except OSError as error:
            self.unreadable.append(path)
            problem = f"the directory cannot be read: {error.strerror}"
            hint = "what was read from it last keeps being served"
            self.findings.append(Finding("", "", problem, hint, origin=Origin("directory", path, 1)))
            return
        if here is None or (here.device, here.inode) in self._seen:
            return
        self._seen.add((here.device, here.inode))
        self.directories.add(here)
        for entry in entries:
            if not entry.name.startswith("."):
                self._entry(entry)

    def _entry(self, entry: os.DirEntry[str]) -> None:
        try:
            if entry.is_dir():
                self.enter(entry.path)
                return
            if not entry.name.endswith(_SUFFIXES):
                return
            status = entry.stat()
        except OSError:  # gone since it was listed, or a link to nowhere
            return
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            return
        self.files[entry.path] = Signature(status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)
        if entry.is_symlink():  # its target is written elsewhere
            target = identify(os.path.dirname(os.path.realpath(entry.path)))
            if target is not None:
                self.directories.add(target)


def scan(root: str, known: Known, hinted: frozenset[str] = frozenset()) -> Scan:
    """Look at a directory. ``hinted``: absolute paths to read again even if their status looks the same.

    (Two writes of equal size within one tick of the file system's clock have the same status.)
    """
    walk = _Walk()
    walk.enter(root)
    parent = existing(Path(os.path.abspath(root)).parent)  # where the root itself is replaced
    if parent is not None:
        walk.directories.add(parent)
    read: list[FileContent] = []
    for path, signature in walk.files.items():
        if signature != known.signatures.get(path) or os.path.abspath(path) in hinted:
            read.append(_read(path, known.contents.get(path)))
    held = tuple(f"{path}{os.sep}" for path in walk.unreadable)
    kept = {path: known.signatures[path] for path in known.contents if path.startswith(held)}
    gone = tuple(path for path in known.contents if path not in walk.files and path not in kept)
    directories = frozenset(walk.directories)
    return Scan({**kept, **walk.files}, tuple(read), gone, directories, tuple(walk.findings))


def _read(path: str, before: FileContent | None) -> FileContent:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return unreadable_file(path, f"the file cannot be read: {error.strerror}")
    if not data.strip() and before is not None:
        return unreadable_file(path, "the file is empty now; delete it if its objects should go")
    return read_documents(path, data, before)
