"""A directory of YAML as the source of configuration: ``--configDir``.

Events name files; those are read and cut into documents, and only documents with new text are decoded, in a thread.
Where the names do not tell everything (links, directories that come and go), and now and then in any case, the whole
directory is compared by file status, so that a missed event is made good. A broken document never takes an object away;
it is a finding with file and line.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

from discovery.runtime.logs import get_logger
from discovery.schema.findings import Finding, Severity
from discovery.sources.directory_state import DirectoryState
from discovery.sources.scan import Glance, Known, Scan, glance, scan
from discovery.sources.source import Apply
from discovery.sources.watch import Directory, Watch

__all__ = ["ConfigDirectoryError", "DirectorySource"]


class ConfigDirectoryError(Exception):
    """The configuration directory cannot be used at all; the text says which and why."""


class DirectorySource:
    """Keeps the store level with every ``.yaml`` and ``.yml`` file below a directory."""

    name = "directory"

    def __init__(self, directory: Path, apply: Apply) -> None:
        self.synced = asyncio.Event()
        self._root = str(directory)
        self._absolute = os.path.abspath(self._root)
        self._apply = apply
        self._state = DirectoryState()
        self._last: Scan | None = None
        self._findings: tuple[Finding, ...] = ()
        self._log = get_logger("config")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the files now, by path and line."""
        return self._findings

    async def __aenter__(self) -> Self:
        """Read everything once.

        Raises:
            ConfigDirectoryError: there is no such directory.
        """
        _check(self._root)
        await self.look()
        self.synced.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held: the watch lives in ``run``."""

    async def run(self) -> None:
        """Follow the directory until cancelled.

        Raises:
            ExceptionGroup: of an OSError, when the operating system grants no more watches (inotify limits).
        """
        await Watch(self._directories, self.look, self._wanted).run()

    def _directories(self) -> frozenset[Directory]:
        return self._last.directories if self._last is not None else frozenset()

    def _wanted(self, path: str) -> bool:
        """Whether an event is about us, and not about a neighbour of the directory."""
        return os.path.dirname(path) != os.path.dirname(self._absolute) or path == self._absolute

    async def look(self, hinted: frozenset[str] = frozenset()) -> None:
        """Bring the store level with these files (absolute paths), with the whole directory if none are named."""
        looked = await self._glance(hinted) or await self._scan(hinted)
        changes = self._state.update(looked.read, looked.gone)
        if changes:
            self._apply(changes)
        if looked.read or looked.gone:
            self._log.debug(
                "configuration files read",
                files=len(looked.read),
                gone=len(looked.gone),
                documents=sum(content.decoded for content in looked.read),
                objects=len(changes),
            )
        about_directories = self._last.findings if self._last is not None else ()
        self._report((*about_directories, *self._state.findings()))

    async def _glance(self, hinted: frozenset[str]) -> Glance | None:
        last = self._last
        if last is None or not hinted:
            return None
        found = await asyncio.to_thread(glance, last, self._state.contents, hinted)
        if found is not None:
            last.signatures.update(found.signatures)
            for path in found.gone:
                last.signatures.pop(path, None)
        return found

    async def _scan(self, hinted: frozenset[str]) -> Scan:
        known = Known(self._last.signatures, self._state.contents) if self._last is not None else Known()
        self._last = await asyncio.to_thread(scan, self._root, known, hinted)
        return self._last

    def _report(self, findings: tuple[Finding, ...]) -> None:
        """Log what was not wrong before."""
        before = set(self._findings)
        for finding in findings:
            if finding not in before:
                told = self._log.info if finding.severity is Severity.INFO else self._log.warning
                told("configuration problem", finding=str(finding))
        self._findings = findings


def _check(root: str) -> None:
    if not os.path.isdir(root):
        what = "is no directory" if os.path.exists(root) else "does not exist"
        raise ConfigDirectoryError(f"the configuration directory {root} {what}; make it, or give --configDir another")
