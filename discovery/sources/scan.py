"""What a directory holds, by names and file status, and the content of files that are different from before.

``scan`` goes through everything, ``glance`` looks only at the paths that events named: the cost of one edit must not
grow with the number of files. Blocking; runs in a thread. Values in, values out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from discovery.schema.findings import Finding
from discovery.schema.meta import Origin
from discovery.sources.documents import MAX_FILE_BYTES, FileContent, read_documents, unreadable_file
from discovery.sources.watch import Directory, existing, identify

__all__ = ["Glance", "Known", "Scan", "Signature", "glance", "scan"]

_SUFFIXES: Final = (".yaml", ".yml")
# For more paths than this, going through everything costs no more, and the kernel may have dropped some events.
_GLANCES: Final = 256


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
    # Directories gone through: absolute name -> as walked. Empty if anything below is a link: then the name in an event
    # does not tell which of our files are different.
    folders: Mapping[str, str] = {}


class Glance(NamedTuple):
    """What has become of some files."""

    signatures: dict[str, Signature]  # of those read
    read: tuple[FileContent, ...]
    gone: tuple[str, ...]


class _Walk:
    """Collects the files below a directory; hidden ones are not looked at (``..data`` of ConfigMap volumes)."""

    def __init__(self) -> None:
        self.files: dict[str, Signature] = {}
        self.directories: set[Directory] = set()
        self.folders: dict[str, str] = {}
        self.linked = False
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
        self.folders[here.path] = path
        for entry in entries:
            if not _hidden(entry.name):
                self._entry(entry)

    def _entry(self, entry: os.DirEntry[str]) -> None:
        try:
            self.linked = self.linked or entry.is_symlink()
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
        self.files[entry.path] = _signature(status)
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
    folders = {} if walk.linked else walk.folders
    return Scan({**kept, **walk.files}, tuple(read), gone, directories, tuple(walk.findings), folders)


def glance(last: Scan, contents: Mapping[str, FileContent], hinted: Iterable[str]) -> Glance | None:
    """Look at some absolute paths only; None where that may not be all that is different, so that a scan is due."""
    paths = tuple(hinted)
    if not paths or len(paths) > _GLANCES:
        return None
    signatures: dict[str, Signature] = {}
    read: list[FileContent] = []
    gone: list[str] = []
    for absolute in paths:
        above, name = os.path.split(absolute)
        folder = last.folders.get(above)
        if folder is None or absolute in last.folders or identify(folder) not in last.directories:
            return None
        if _hidden(name):
            continue
        path = os.path.join(folder, name)
        status = _status(path)
        if status is None:
            if path in contents:
                gone.append(path)
        elif not stat.S_ISREG(status.st_mode):
            return None
        elif name.endswith(_SUFFIXES):
            signatures[path] = _signature(status)
            read.append(_read(path, contents.get(path)))
    return Glance(signatures, tuple(read), tuple(gone))


def _hidden(name: str) -> bool:
    return name.startswith(".")


def _status(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except OSError:
        return None


def _signature(status: os.stat_result) -> Signature:
    return Signature(status.st_mtime_ns, status.st_size, status.st_ino, status.st_dev)


def _read(path: str, before: FileContent | None) -> FileContent:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return unreadable_file(path, f"the file cannot be read: {error.strerror}")
    if not data.strip() and before is not None:
        return unreadable_file(path, "the file is empty now; delete it if its objects should go")
    return read_documents(path, data, before)
