"""Secrets read from files for each request and watched from then on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from agent.sds.errors import SecretError
from agent.sds.files import read_pair, read_roots_file, retry_read
from agent.sds.metrics import SecretMetrics
from agent.sds.names import FilePair, FileRoots, OsRoots, SecretSource
from agent.sds.resources import KeyCertificate, Roots
from agent.sds.watch import FileWatcher
from agent.x509.client import X509
from agent.xds_proxy.dial import find_os_roots
from certs.errors import CertsError

__all__ = ["FileSecrets"]

T = TypeVar("T", KeyCertificate, Roots)


class FileSecrets:
    """Reads pairs and roots, and says which source changed when a file did. One event loop owns it.

    The watches are bounded by the files that exist under the names Envoy asked for.

    Args:
        announce: told of each source whose files changed.
        x509: judges what was read.
        metrics: counts what cannot be read or watched.
        first_delay_s: before files that are unusable are read again.
        sleep: how waiting is done.
    """

    def __init__(
        self,
        announce: Callable[[SecretSource], None],
        *,
        x509: X509,
        metrics: SecretMetrics,
        first_delay_s: float,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._announce = announce
        self._x509 = x509
        self._metrics = metrics
        self._first_delay_s = first_delay_s
        self._sleep = sleep
        self._sources: dict[Path, set[SecretSource]] = {}
        self._watcher = FileWatcher(self._on_change, metrics)

    async def run(self) -> None:
        """Watch until cancelled."""
        await self._watcher.run()

    async def pair(self, source: SecretSource, pair: FilePair) -> KeyCertificate:
        """Key and certificate of ``pair``, announced as ``source`` when they change.

        Raises:
            SecretError: they stay unusable.
        """
        return await self._read(source, lambda: read_pair(pair.chain, pair.key, self._x509), pair.chain, pair.key)

    async def roots(self, source: SecretSource, path: Path) -> Roots:
        """The roots in a file, announced as ``source`` when it changes.

        Raises:
            SecretError: it stays unusable.
        """
        return await self._read(source, lambda: read_roots_file(path, self._x509), path)

    async def get(self, source: FilePair | FileRoots | OsRoots) -> KeyCertificate | Roots:
        """The value of a source that is a file.

        Raises:
            SecretError: it stays unusable.
        """
        if isinstance(source, FilePair):
            return await self.pair(source, source)
        if isinstance(source, FileRoots):
            return await self.roots(source, source.path)
        path = find_os_roots()
        if path is None:
            raise SecretError("the operating system has no bundle of root certificates in a known place")
        return await self.roots(source, path)

    async def _read(self, source: SecretSource, read: Callable[[], Awaitable[T]], *paths: Path) -> T:
        for path in paths:  # watched before they are read, so that no change falls between
            self._sources.setdefault(path, set()).add(source)
            self._watcher.add(path)
        try:
            return await retry_read(read, first_delay_s=self._first_delay_s, sleep=self._sleep)
        except (CertsError, OSError) as error:
            self._metrics.file_failures.inc()
            for path in paths:
                if not path.exists():
                    self._forget(path, source)
            raise SecretError(str(error)) from error

    def _forget(self, path: Path, source: SecretSource) -> None:
        """Envoy will ask again: a name that leads nowhere must not cost a watch for ever."""
        sources = self._sources.get(path, set())
        sources.discard(source)
        if not sources:
            self._sources.pop(path, None)
            self._watcher.remove(path)

    def _on_change(self, path: Path) -> None:
        for source in self._sources.get(path, ()):
            self._announce(source)
