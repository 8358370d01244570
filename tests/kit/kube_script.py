"""An API server as a script: each request gets the answer that was written for it. For cores; the rest: `kube_api`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from discovery.kube.errors import KubeError

__all__ = ["ScriptedApi", "Watch", "kube_object"]


def kube_object(name: str, version: int, namespace: str = "n", **labels: str) -> dict[str, Any]:
    """A small object."""
    metadata = {"name": name, "namespace": namespace, "uid": f"u-{name}", "resourceVersion": str(version)}
    return {"metadata": {**metadata, "labels": labels}, "value": version}


class Watch:
    """An open watch that a test speaks through."""

    def __init__(self, query: Mapping[str, str]) -> None:
        self.query = query
        self.open = True
        self._lines: asyncio.Queue[bytes | KubeError | None] = asyncio.Queue()

    def send(self, type_: str, body: Mapping[str, Any]) -> None:
        """An event."""
        self._lines.put_nowait(msgspec.json.encode({"type": type_, "object": body}))

    def bookmark(self, version: int, *, ends_initial: bool = False) -> None:
        """A bookmark."""
        annotations = {"k8s.io/initial-events-end": "true"} if ends_initial else {}
        self.send("BOOKMARK", {"metadata": {"resourceVersion": str(version), "annotations": annotations}})

    def end(self, error: KubeError | None = None) -> None:
        """The stream ends, or breaks off."""
        self._lines.put_nowait(error)

    async def lines(self) -> AsyncIterator[bytes]:
        """What arrives."""
        while True:
            line = await self._lines.get()
            if line is None:
                return
            if isinstance(line, KubeError):
                raise line
            yield line


class ScriptedApi:
    """A `Reader` whose lists are written beforehand and whose watches are spoken through."""

    def __init__(self) -> None:
        self.answers: list[bytes | KubeError] = []
        self.refusals: list[KubeError] = []  # of watches that are opened next
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.watches: list[Watch] = []

    def will_list(self, *objects: Mapping[str, Any], version: int, more: str = "") -> None:
        """Answer a list so."""
        metadata = {"resourceVersion": str(version), "continue": more}
        self.answers.append(msgspec.json.encode({"metadata": metadata, "items": objects}))

    @property
    def current(self) -> Watch:
        """The watch that was opened last."""
        return self.watches[-1]

    async def get(self, path: str, query: Mapping[str, str] = {}) -> bytes:
        """The next answer; for ever none if there is none."""
        self.asked.append((path, dict(query)))
        await asyncio.sleep(0)
        if not self.answers:
            await asyncio.Event().wait()
        answer = self.answers.pop(0)
        if isinstance(answer, KubeError):
            raise answer
        return answer

    @asynccontextmanager
    async def watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """A new watch."""
        self.asked.append((path, dict(query)))
        await asyncio.sleep(0)
        if self.refusals:
            raise self.refusals.pop(0)
        opened = Watch(query)
        self.watches.append(opened)
        try:
            yield opened.lines()
        finally:
            opened.open = False
