"""Notices changes of files at no cost while nothing changes: inotify on directories, judged by what the files are now.

Why inotify by hand: polling wakes an otherwise idle process (it is one per pod), and a library would be a dependency
of megabytes for three system calls. Why directories: they report in-place writes, atomic renames, editors' replacements
and, on each link of the way to the file, the swap of kubelet's ``..data`` link, all in one manner. An event only says
"look again"; whether a file changed is told by its identity, size and time. Where inotify is not to be had (limits of
the machine, other systems) the same look is taken every ``RETRY_S``.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Final

from agent.sds.metrics import SecretMetrics
from discovery.runtime.logs import get_logger

__all__ = ["RETRY_S", "FileWatcher", "watched_directories"]

RETRY_S: Final = 10.0

# <sys/inotify.h>
_CLOSE_WRITE, _MOVED_FROM, _MOVED_TO, _CREATE = 0x8, 0x40, 0x80, 0x100
_DELETE, _DELETE_SELF, _MOVE_SELF, _ONLYDIR = 0x200, 0x400, 0x800, 0x0100_0000
_MASK: Final = _CLOSE_WRITE | _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE | _DELETE_SELF | _MOVE_SELF | _ONLYDIR

_MAX_LINKS: Final = 40  # as the kernel

log = get_logger("sds")

_Signature = tuple[int, int, int, int] | None


def watched_directories(path: Path) -> frozenset[str]:
    """The directories whose events can change what ``path`` leads to.

    These are the one that holds the file, and the one of each symbolic link on the way, links at the root of the file
    system (``/var`` and the like) excepted. Of a path that does not exist, the last directory that does.
    """
    found: set[str] = set()
    rest = Path(os.path.abspath(path)).parts[1:]
    for _ in range(_MAX_LINKS):
        link = _first_link(rest, found)
        if link is None:
            break
        directory, target, rest_after = link
        if directory != "/":
            found.add(directory)
        rest = Path(os.path.normpath(os.path.join(directory, target, *rest_after))).parts[1:]
    return frozenset(found)


def _first_link(parts: tuple[str, ...], found: set[str]) -> tuple[str, str, tuple[str, ...]] | None:
    """Directory, target and remaining parts of the first link; None at the end of the way, whose directory is added."""
    here = "/"
    for at, part in enumerate(parts):
        there = os.path.join(here, part)
        try:
            mode = os.lstat(there).st_mode
            if stat.S_ISLNK(mode):
                return here, os.readlink(there), parts[at + 1 :]
        except OSError:
            break
        if at == len(parts) - 1:
            break
        here = there
    found.add(here)
    return None


def _signature(path: Path) -> _Signature:
    try:
        now = path.stat()
    except OSError:
        return None
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns


class FileWatcher:
    """Tells which of some files changed. One event loop owns it.

    Args:
        on_change: called with the path as it was added, within the loop; must not block.
        metrics: counts what cannot be watched.
    """

    def __init__(self, on_change: Callable[[Path], None], metrics: SecretMetrics) -> None:
        self._on_change = on_change
        self._metrics = metrics
        self._files: dict[Path, _Signature] = {}
        self._watches: frozenset[int] = frozenset()
        self._descriptor = -1
        self._libc: ctypes.CDLL | None = None
        self._stirred = asyncio.Event()
        self._complete = True

    @property
    def files(self) -> frozenset[Path]:
        """The watched files."""
        return frozenset(self._files)

    def add(self, path: Path) -> None:
        """Watch a file, which need not exist; changes from now on are told."""
        if path in self._files:
            return
        self._files[path] = None
        self._rewatch()  # first watch, then look: a change in between is seen twice rather than never
        self._files[path] = _signature(path)
        self._stirred.set()  # lets run() learn that watching is incomplete

    def remove(self, path: Path) -> None:
        """Forget a file."""
        if self._files.pop(path, ...) is not ...:
            self._rewatch()

    async def run(self) -> None:
        """Tell changes until cancelled."""
        try:
            while True:
                try:
                    async with asyncio.timeout(None if self._complete else RETRY_S):
                        await self._stirred.wait()
                except TimeoutError:
                    self._rewatch()
                self._stirred.clear()
                self._look()
        finally:
            self._close()

    def _look(self) -> None:
        for path, before in tuple(self._files.items()):
            now = _signature(path)
            if now != before:
                self._files[path] = now
                self._on_change(path)

    def _open(self) -> None:
        """Start inotify.

        Raises:
            OSError: it is not to be had.
        """
        libc = ctypes.CDLL(None, use_errno=True)
        if not hasattr(libc, "inotify_init1"):
            raise OSError(errno.ENOSYS, "this system has no inotify")
        descriptor = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if descriptor < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        self._libc, self._descriptor = libc, descriptor
        asyncio.get_running_loop().add_reader(descriptor, self._drain)

    def _drain(self) -> None:
        try:
            while os.read(self._descriptor, 1 << 16):
                pass  # what happened does not matter: the files themselves tell
        except BlockingIOError:
            pass
        self._stirred.set()
        self._rewatch()

    def _rewatch(self) -> None:
        """Make the kernel's watches those of the present ways to the files."""
        directories = frozenset[str]().union(*(watched_directories(path) for path in self._files))
        try:
            if self._descriptor < 0:
                self._open()
            watches = frozenset(self._watch(directory) for directory in sorted(directories))
        except OSError as error:
            if self._complete:
                log.warning("files cannot be watched; looking at them from time to time", reason=str(error))
                self._metrics.watch_failures.inc()
            self._complete = False
            return
        self._complete = True
        for stale in self._watches - watches:
            if self._libc is not None:
                self._libc.inotify_rm_watch(self._descriptor, stale)  # fails where the directory is gone: fine
        self._watches = watches

    def _watch(self, directory: str) -> int:
        if self._libc is None:
            raise OSError(errno.EBADF, "inotify is not open")
        watch = int(self._libc.inotify_add_watch(self._descriptor, os.fsencode(directory), _MASK))
        if watch < 0 and ctypes.get_errno() not in (errno.ENOENT, errno.ENOTDIR):  # replaced since: its parent tells
            raise OSError(ctypes.get_errno(), f"{os.strerror(ctypes.get_errno())}: {directory}")
        return watch

    def _close(self) -> None:
        if self._descriptor >= 0:
            asyncio.get_running_loop().remove_reader(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1
