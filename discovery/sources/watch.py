"""Hearing of changes in some directories without polling, also when those directories themselves come and go.

inotify watches inodes, not names: a directory that is replaced (``ln -sfn``, a ConfigMap volume's ``..data``, delete
and recreate) falls silent. So the set of directories is asked for again after each change, by name and inode, and the
watch is made anew when it differs. Events are hints to look again; nothing is concluded from them. As events can be
lost (an overflow, a network file system), everything is looked at now and then in any case.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from watchfiles import Change, awatch

from discovery.sources.pending import Pending

__all__ = ["Directory", "Watch", "existing", "identify"]

# How long nothing must happen before a batch of events is told, and after how long it is told anyway. watchfiles wakes
# up once in that time: 0.45 % of a core at 10 ms, 0.1 % at 50 ms. A change is heard of after 1 to 2 times as long.
_QUIET_MS: Final = 10
_AT_MOST_MS: Final = 500
_PAUSE_S: Final = 0.04
_AUDIT_S: Final = 60.0


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
    """Calls ``look`` once a watch is in place, after every change that ``wanted`` says matters, and now and then.

    Args:
        directories: what to watch, as it is at present.
        look: gets the absolute paths that events named; none when all must be looked at.
        wanted: whether an event at an absolute path matters.
        quiet_ms: a change is told when nothing followed it for so long.
        audit_s: after how long all is looked at although no event said so.
    """

    def __init__(
        self,
        directories: Callable[[], Iterable[Directory]],
        look: Callable[[frozenset[str]], Awaitable[None]],
        wanted: Callable[[str], bool],
        *,
        quiet_ms: int = _QUIET_MS,
        audit_s: float = _AUDIT_S,
    ) -> None:
        self._directories = directories
        self._look = look
        self._wanted = wanted
        self._quiet_ms = quiet_ms
        self._audit_s = audit_s
        self._pending = Pending(pause_s=_PAUSE_S, at_most_s=_AT_MOST_MS / 1e3)
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Watch until cancelled.

        The audit is to begin anew: so a watch that went deaf is replaced too.

        Raises:
            ExceptionGroup: of an OSError, when the operating system grants no more watches (inotify limits).
        """
        while True:
            watched = frozenset(self._directories())
            async with asyncio.TaskGroup() as group:
                pump = group.create_task(self._pump(watched), name="watch directories")
                await asyncio.sleep(0)  # the pump makes its watch before it first waits, so the look misses nothing
                await self._look(frozenset())
                audit_at = asyncio.get_running_loop().time() + self._audit_s
                while not pump.done() and frozenset(self._directories()) == watched:
                    paths = await self._named(pump, audit_at)
                    if not paths:
                        break
                    await self._look(paths)
                pump.cancel()

    async def _named(self, pump: asyncio.Task[None], audit_at: float) -> frozenset[str]:
        """Paths that are due; none when it is time to look at everything."""
        loop = asyncio.get_running_loop()
        while not pump.done() and loop.time() < audit_at:
            paths = self._pending.take(loop.time())
            if paths:
                return paths
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(min(audit_at, self._pending.next_at())):
                    await self._changed.wait()
        return frozenset()

    async def _pump(self, watched: frozenset[Directory]) -> None:
        try:
            batches = awatch(
                *(directory.path for directory in watched),
                watch_filter=self._accept,
                debounce=_AT_MOST_MS,
                step=self._quiet_ms,
                rust_timeout=0,
                recursive=False,
            )
            async for batch in batches:
                now = asyncio.get_running_loop().time()
                for change, path in batch:
                    if change is Change.modified:
                        self._pending.written(path, now)
                    else:
                        self._pending.placed(path)
                self._changed.set()
        except FileNotFoundError:  # a directory went away while the watch was being made: look which there are
            pass
        finally:
            self._changed.set()

    def _accept(self, _change: Change, path: str) -> bool:
        return self._wanted(path)
