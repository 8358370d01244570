"""The mesh configuration file (``--meshConfig``): read at the start, followed from then on; it need not exist.

A file that cannot be understood, or that goes away, leaves the last good configuration in force: falling back to
defaults would change trust domains and ports of a running mesh.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from discovery.runtime.logs import get_logger
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.findings import Finding
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import YamlError, parse_yaml
from discovery.sources.watch import Directory, Watch, existing, identify

__all__ = ["MeshConfigSource", "read_mesh_config"]

_QUIET_MS: Final = 50  # edited seldom, so its watch is the one that may sleep longer
SetMesh = Callable[[MeshConfig], object]  # ``Store.set_mesh``


def read_mesh_config(path: str, data: bytes) -> tuple[MeshConfig | None, tuple[Finding, ...]]:
    """The configuration that a file's bytes describe, and what is wrong with them; None if they cannot be used."""
    origin = Origin("file", path, 1)
    try:
        return decode_mesh_config(parse_yaml(data.decode("utf-8-sig")), origin=origin)
    except YamlError as error:
        where = Origin("file", path, error.line)
        return None, (Finding("MeshConfig", "", f"no valid YAML: {error.problem}", origin=where),)
    except UnicodeDecodeError as error:
        return None, (Finding("MeshConfig", "", f"want UTF-8: {error.reason}", origin=origin),)


class MeshConfigSource:
    """Keeps the store's mesh configuration level with a file."""

    name = "mesh configuration"

    def __init__(self, path: Path, set_mesh: SetMesh) -> None:
        self.synced = asyncio.Event()
        self.findings: tuple[Finding, ...] = ()
        self._path = str(path)
        self._absolute = os.path.abspath(self._path)
        self._set_mesh = set_mesh
        self._data: bytes | None = None
        self._log = get_logger("config")

    async def __aenter__(self) -> Self:
        """Read the file if it exists; else the defaults stay."""
        await self.look()
        self.synced.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held: the watch lives in ``run``."""

    async def run(self) -> None:
        """Follow the file until cancelled."""
        await Watch(self._directories, self.look, self._wanted, quiet_ms=_QUIET_MS).run()

    def _directories(self) -> frozenset[Directory]:
        """Where the file is named, and where it really lies."""
        named = existing(Path(self._absolute).parent)
        real = identify(os.path.dirname(os.path.realpath(self._absolute)))
        return frozenset(found for found in (named, real) if found is not None)

    def _wanted(self, path: str) -> bool:
        """Siblings count only as links that the file may stand behind; else a directory on the way to it."""
        links = os.path.basename(path).startswith("..")  # ``..data`` of a ConfigMap volume
        return links or self._absolute.startswith(path) or path == os.path.realpath(self._absolute)

    async def look(self, _hinted: frozenset[str] = frozenset()) -> None:
        """Read the file, and apply it if it is different and good."""
        try:
            data = await asyncio.to_thread(Path(self._path).read_bytes)
        except FileNotFoundError:
            if self._data is not None:
                self._tell((self._about("the file is gone", "its last good content stays in force until a restart"),))
            return
        except OSError as error:
            self._tell((self._about(f"the file cannot be read: {error.strerror}", "check its permissions"),))
            return
        if data == self._data and not self.findings:
            return
        self._data = data
        mesh, findings = read_mesh_config(self._path, data)
        if mesh is not None:
            self._set_mesh(mesh)
        self._tell(findings)

    def _about(self, problem: str, hint: str) -> Finding:
        return Finding("MeshConfig", "", problem, hint, origin=Origin("file", self._path, 1))

    def _tell(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            if finding not in self.findings:
                self._log.warning("mesh configuration problem", finding=str(finding))
        self.findings = findings
