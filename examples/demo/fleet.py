"""The processes of the demo: each with a log file, watched while it lives, ended with all its children.

Every process carries a mark in its environment, which its children inherit: so it can be seen, after the end, that
nothing was left behind.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Final, NamedTuple

import msgspec

from discovery.runtime.process import Output, Process, ProcessSpec, SpawnError
from examples.demo.errors import DemoError

__all__ = ["MARK", "Fleet", "Resident", "left_over", "living"]

MARK: Final = "PILOT_DEMO"
_PASSED_ON: Final = ("PATH", "PYTHONPATH", "HOME", "LANG", "LD_LIBRARY_PATH")
_LONGEST_TMPDIR: Final = 60  # Unix sockets are made below it, whose paths have at most 107 bytes
_LOOKS: Final = 50
_BETWEEN_LOOKS_S: Final = 0.02


class Resident(NamedTuple):
    """A process of the demo as the system sees it."""

    pid: int
    parent: int
    command: str
    memory_bytes: int


class Fleet:
    """Starts processes and ends them. An end that nobody asked for fails the task group, and with it the demo."""

    def __init__(self, group: asyncio.TaskGroup, directory: Path, *, mark: str) -> None:
        """``directory`` takes logs and temporary files, so that even a killed demo leaves nothing elsewhere."""
        self._group = group
        self.logs = directory / "logs"
        temporary = directory / "tmp"
        self._environment = {**_passed_on(), MARK: mark}
        if len(str(temporary)) <= _LONGEST_TMPDIR:
            self._environment["TMPDIR"] = str(temporary)
        for made in (self.logs, temporary):
            made.mkdir()
        self._waves: list[list[Process]] = []
        self._files: list[IO[bytes]] = []
        self._stopping = False

    def log_of(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.logs / f"{name}.log"

    async def start(
        self, specs: Sequence[ProcessSpec], *, environment: Mapping[str, Mapping[str, str]] | None = None
    ) -> tuple[Process, ...]:
        """Start processes that may be ended together; those started later are ended first.

        Args:
            specs: what to run; ``env`` and ``output`` are set here.
            environment: by name of the process, what to add.

        Raises:
            DemoError: one cannot be started.
        """
        wave: list[Process] = []
        self._waves.append(wave)
        for spec in specs:
            env = {**self._environment, **(environment or {}).get(spec.name, {})}
            file = self.log_of(spec.name).open("ab", buffering=0)
            self._files.append(file)
            process = Process(
                msgspec.structs.replace(spec, env=env, output=Output.LINES),
                sink=partial(_write, file),
            )
            try:
                await process.start()
            except SpawnError as error:
                raise DemoError(str(error)) from error
            wave.append(process)
            self._group.create_task(self._watch(process), name=f"watch {spec.name}")
        return tuple(wave)

    async def stop(self) -> None:
        """End all, the last started first; SIGKILL for those that take longer than their ``grace_s``."""
        self._stopping = True
        for wave in reversed(self._waves):
            async with asyncio.TaskGroup() as group:
                for process in wave:
                    group.create_task(process.stop())
        for file in self._files:
            file.close()

    async def _watch(self, process: Process) -> None:
        ended = await process.wait()
        if not self._stopping:
            raise DemoError(f"{process.name} ended by itself: {ended}", log=self.log_of(process.name))


def _passed_on() -> dict[str, str]:
    """What the programs may know of the user's environment; the rest could configure them by accident."""
    return {name: os.environ[name] for name in _PASSED_ON if name in os.environ}  # noqa: TID251 - not a setting


def _write(file: IO[bytes], _stream: str, line: bytes) -> None:
    if not file.closed:
        file.write(line + b"\n")


def living(mark: str) -> tuple[Resident, ...]:
    """The processes that carry a mark, whoever their parent is by now; zombies are none."""
    wanted = f"{MARK}={mark}".encode()
    return tuple(resident for pid in _pids() if (resident := _look_at(pid, wanted)) is not None)


async def left_over(mark: str) -> tuple[Resident, ...]:
    """Who of those with a mark does not end; a process that was killed may be seen for a moment still."""
    for _ in range(_LOOKS):
        if not living(mark):
            return ()
        await asyncio.sleep(_BETWEEN_LOOKS_S)
    return living(mark)


def _pids() -> Iterable[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())


def _look_at(pid: int, wanted: bytes) -> Resident | None:
    directory = Path("/proc") / str(pid)
    try:
        if wanted not in (directory / "environ").read_bytes().split(b"\0"):
            return None
        command = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        status = dict(line.split(":", 1) for line in (directory / "status").read_text().splitlines() if ":" in line)
    except OSError:  # gone meanwhile, or another user's: not ours
        return None
    memory_kb = int(status.get("VmRSS", "0 kB").split()[0])
    return Resident(pid, int(status["PPid"]), command, memory_kb * 1024)
