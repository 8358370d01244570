"""A container's process: started in its pod's namespaces, signalled as its first process, its words in a log file."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Final

from discovery.runtime.process import Output, Process, ProcessSpec
from tests.kube.kubelet.container_plan import ContainerPlan, render_exec, render_start

__all__ = ["ContainerProcess", "run_command"]

_PAUSE_S: Final = 0.005
_STARTED_WITHIN_S: Final = 20.0


class ContainerProcess:
    """One run of a container."""

    def __init__(self, name: str, plan: ContainerPlan, *, scratch: Path, log: Path) -> None:
        self._plan = plan
        self._scratch = scratch
        self._log = log.open("ab", buffering=0)
        scratch.mkdir(parents=True, exist_ok=True)
        holder = f"/proc/{plan.pause_pid}/ns"
        argv = [
            *("nsenter", f"--net={holder}/net", f"--uts={holder}/uts", f"--ipc={holder}/ipc"),
            *("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--propagation", "private"),
            *("sh", "-c", render_start(plan, scratch)),
        ]
        self._process = Process(ProcessSpec(name=name, argv=tuple(argv), output=Output.LINES), sink=self._on_line)
        self._pid = 0

    async def start(self) -> None:
        """Start it; what goes wrong later is its exit.

        Raises:
            SpawnError: this machine lacks a program.
        """
        await self._process.start()

    async def wait(self) -> int:
        """Its exit status, 128 and more for a signal, once it has ended."""
        ended = await self._process.wait()
        self._log.close()
        return 128 + (ended.signal or 0) if ended.code is None else ended.code

    async def first_process(self) -> int:
        """The id, as this machine sees it, of the container's process 1; 0 when it has ended."""
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        async with asyncio.timeout(_STARTED_WITHIN_S):
            while not self._pid and self._process.exit is None:
                self._pid = _contained(children)
                if not self._pid:
                    await asyncio.sleep(_PAUSE_S)
        return 0 if self._process.exit is not None else self._pid

    async def signal(self, number: signal.Signals) -> None:
        """Signal the container's process 1; nothing if it has ended."""
        if number is signal.SIGKILL:
            self._process.kill()
            return
        pid = await self.first_process()
        if pid:
            os.kill(pid, number)

    async def execute(self, argv: list[str], *, timeout_s: float) -> tuple[int, str]:
        """Status and words of a command inside; status 124 when it takes too long, 137 when the container has ended."""
        pid = await self.first_process()
        if not pid:
            return 137, "the container has ended"
        return await run_command(render_exec(self._plan, pid, argv), timeout_s=timeout_s)

    def note(self, words: str) -> None:
        """Add a line of ours to its log."""
        self._on_line("note", words.encode())

    def kill_now(self) -> None:
        """End it without waiting."""
        self._process.kill_now()

    def _on_line(self, _stream: str, line: bytes) -> None:
        if not self._log.closed:
            self._log.write(line + b"\n")


def _contained(children: Path) -> int:
    """The one child, once the script has become the container: until then it has the machine's root; else 0."""
    try:
        words = children.read_text(encoding="ascii").split()
        return int(words[0]) if words and os.readlink(f"/proc/{words[0]}/root") != "/" else 0
    except OSError:
        return 0  # it has just ended, or not begun


async def run_command(argv: list[str], *, timeout_s: float) -> tuple[int, str]:
    """Status and words of a program of this machine; status 124 when it takes too long."""
    running = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        async with asyncio.timeout(timeout_s):
            words, _ = await running.communicate()
    except TimeoutError:
        running.kill()
        await running.wait()
        return 124, f"no end within {timeout_s:g} s"
    assert running.returncode is not None
    return running.returncode, words.decode(errors="replace").strip()
