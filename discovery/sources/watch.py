"""Hearing of changes in some directories without polling, also when those directories themselves come and go.

inotify watches inodes, not names: a directory that is replaced (``ln -sfn``, a ConfigMap volume's ``..data``, delete
and recreate) falls silent. So the set of directories is asked for again after each change, by name and inode, and the
watch is made anew when it differs. Events are hints to look again; nothing is concluded from them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, NamedTuple

from watchfiles import Change, awatch

__all__ = ["Directory", "Watch", "existing", "identify"]

# How long nothing must happen before a batch of events is told, and after how long it is told anyway. watchfiles wakes
# up once a step: at 50 ms that is not measurable, and a person who saves a file does not wait for it.
_QUIET_MS: Final = 50
_AT_MOST_MS: Final = 500


class Directory(NamedTuple):
    """A directory by name and identity."""

    path: str  # absolute, so that events name absolute paths
    device: int
    inode: int


def identify(path: str | Path) -> Directory | None:
    """The directory of that name as it is now; None when there is none."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return Directory(os.path.abspath(path), status.st_dev, status.st_ino)


def existing(path: Path) -> Directory | None:
    """The directory itself, or the nearest one above it that exists: where its coming will be heard of."""
    for candidate in (path, *path.parents):
        found = identify(candidate)
        if found is not None and candidate.is_dir():
            return found
    return None


class Watch:
    """Calls ``look`` once a watch is in place and after every change that ``wanted`` says matters."""

    def __init__(
        self,
        directories: Callable[[], Iterable[Directory]],
        look: Callable[[frozenset[str]], Awaitable[None]],
        wanted: Callable[[str], bool],
    ) -> None:
        self._directories = directories
        self._look = look
        self._wanted = wanted
        self._paths: set[str] = set()
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled; ``look`` gets the absolute paths that events named, none when all must be looked at.

        Raises:
            ExceptionGroup: of an OSError, when the operating system grants no more watches (inotify limits).
        """
        while True:
            watched = frozenset(self._directories())
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(watched), name="watch directories")
                await asyncio.sleep(0)  # the pump makes its watch before it first waits, so the look misses nothing
                await self._look(frozenset())
                while not pump.done() and frozenset(self._directories()) == watched:
                    await self._changed.wait()
                    self._changed.clear()
                    paths, self._paths = frozenset(self._paths), set()
                    await self._look(paths)
                pump.cancel()

    async def _pump(self, watched: frozenset[Directory]) -> None:
        try:
            batches = awatch(
                *(directory.path for directory in watched),
                watch_filter=self._accept,
                debounce=_AT_MOST_MS,
                step=_QUIET_MS,
                rust_timeout=0,
                recursive=False,
            )
            async for batch in batches:
                self._paths.update(path for _, path in batch)
                self._changed.set()
        except FileNotFoundError:  # a directory went away while the watch was being made: look which there are
            pass
        finally:
            self._changed.set()

    def _accept(self, _change: Change, path: str) -> bool:
        return self._wanted(path)
