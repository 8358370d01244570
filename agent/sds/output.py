"""Certificates written to a directory: for programs without SDS, and for this agent restarted without a token."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from certs.files import FileMode, write_if_changed
from discovery.runtime.logs import get_logger

__all__ = ["CHAIN_FILE", "KEY_FILE", "ROOT_FILE", "CertificateOutput"]

KEY_FILE: Final = "key.pem"
CHAIN_FILE: Final = "cert-chain.pem"
ROOT_FILE: Final = "root-cert.pem"

log = get_logger("sds")


class CertificateOutput:
    """Writes changed files, each atomically, one set at a time.

    Args:
        directory: where; None for nowhere.
        mode: who may read them.
    """

    def __init__(self, directory: Path | None, mode: FileMode) -> None:
        self._directory = directory
        self._mode = mode
        self._writing = asyncio.Lock()

    async def write(self, files: Mapping[str, bytes]) -> None:
        """Write what differs. A failure is only told: Envoy is served from memory."""
        if self._directory is None:
            return
        async with self._writing:  # syncing to disk may take long, hence the thread; sets must not mix, hence the lock
            try:
                await asyncio.to_thread(self._write, self._directory, files)
            except OSError as error:
                log.error("certificates cannot be written", directory=str(self._directory), reason=str(error))

    def _write(self, directory: Path, files: Mapping[str, bytes]) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, data in files.items():
            write_if_changed(directory / name, data, mode=self._mode)
