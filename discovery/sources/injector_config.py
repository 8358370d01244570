"""Where the injector's configuration comes from: a ConfigMap of the cluster, or files beside the program.

Both tell what is there now, also when it is of no use: what to keep then is for whoever takes it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self

import msgspec

from discovery.kube.cache import Change
from discovery.kube.informer import Informer, Selection
from discovery.kube.reflector import Reader
from discovery.kube.resources import CONFIG_MAPS
from discovery.kube.timing import Timing
from discovery.sources.watch import Directory, Watch, existing

__all__ = ["InjectorConfigMap", "InjectorFiles", "InjectorSink", "injector_config_map"]

_CONFIG: Final = "config"
_VALUES: Final = "values"
_NAME: Final = "istio-sidecar-injector"
_QUIET_MS: Final = 50


class InjectorSink(Protocol):
    """Who takes configurations."""

    def update(self, config: str, values: str, where: str) -> None:
        """This is the configuration now."""

    def gone(self, where: str) -> None:
        """There is none now."""


def injector_config_map(revision: str) -> str:
    """The name of the ConfigMap of a revision."""
    return f"{_NAME}-{revision}" if revision and revision != "default" else _NAME


class _ConfigMap(msgspec.Struct, frozen=True):
    data: Mapping[str, str] | None = None


_DECODER: Final = msgspec.json.Decoder(_ConfigMap)


def _data(raw: bytes) -> Mapping[str, str]:
    return _DECODER.decode(raw).data or {}


class InjectorConfigMap:
    """Follows the ConfigMap. ``synced`` is set once it is known whether there is one."""

    name = "injector configuration"

    def __init__(self, client: Reader, sink: InjectorSink, timing: Timing, *, namespace: str, name: str) -> None:
        self._sink = sink
        self._where = f"ConfigMap {namespace}/{name}"
        self._informer = Informer(
            client, CONFIG_MAPS, _data, timing, selection=Selection(namespace, fields=f"metadata.name={name}")
        )
        self.synced = self._informer.synced

    async def __aenter__(self) -> Self:
        self._informer.subscribe(self._changed)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held: requests live in ``run``."""

    async def run(self) -> None:
        """Follow until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._informer.run())
            await self.synced.wait()
            if not len(self._informer):
                self._sink.gone(self._where)

    def _changed(self, changes: Sequence[Change[Mapping[str, str]]]) -> None:
        data = changes[-1].new
        if data is None:
            self._sink.gone(self._where)
        else:
            self._sink.update(data.get(_CONFIG, ""), data.get(_VALUES, "{}"), self._where)


class InjectorFiles:
    """Follows the files ``config`` and ``values`` of a directory."""

    name = "injector configuration"

    def __init__(self, directory: Path, sink: InjectorSink) -> None:
        self.synced = asyncio.Event()
        self._directory = Path(os.path.abspath(directory))
        self._sink = sink

    async def __aenter__(self) -> Self:
        """Read the files."""
        await self.look()
        self.synced.set()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held: the watch lives in ``run``."""

    async def run(self) -> None:
        """Follow the files until cancelled."""
        await Watch(self._directories, self.look, self._matters, quiet_ms=_QUIET_MS).run()

    def _directories(self) -> frozenset[Directory]:
        """Where the files are named, and where they really lie: a volume's files are links that are switched.

        The directory itself may be such a link, and only the one above hears of that.
        """
        real = Path(os.path.realpath(self._directory / _CONFIG)).parent
        places = map(existing, (self._directory, self._directory.parent, real))
        return frozenset(found for found in places if found is not None)

    def _matters(self, path: str) -> bool:
        """What lies beside the directory does not."""
        place = Path(path)
        return place == self._directory or place.parent != self._directory.parent

    async def look(self, _hinted: frozenset[str] = frozenset()) -> None:
        """Read both files."""
        try:
            config, values = await asyncio.to_thread(self._read)
        except (OSError, UnicodeDecodeError):
            self._sink.gone(str(self._directory))
        else:
            self._sink.update(config, values, str(self._directory))

    def _read(self) -> tuple[str, str]:
        return tuple((self._directory / name).read_text(encoding="utf-8") for name in (_CONFIG, _VALUES))  # type: ignore[return-value]  # two names, two texts
