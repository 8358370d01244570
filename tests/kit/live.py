"""Real programs as processes of their own: what they say, the ports they took, their end; the control plane first.

Tests wait here and nowhere else: on lines of a log and on answers, each with a deadline.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import msgspec

from discovery.runtime.http import Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.process import Output, Process, ProcessSpec
from discovery.runtime.process_lifecycle import Exit

__all__ = ["LiveDiscovery", "Program", "beside", "inherited_environment", "live_discovery", "program", "until"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_PAUSE_S: Final = 0.02


def inherited_environment() -> dict[str, str]:
    """What every program needs of ours, and nothing that would configure it."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}  # noqa: TID251
    return {**kept, "PYTHONPATH": str(_ROOT)}


class Program:
    """One running process and every line that it said."""

    def __init__(self, process: Process, log: list[str], news: asyncio.Event) -> None:
        self.process = process
        self.log = log
        self._news = news

    @property
    def text(self) -> str:
        """Everything said so far."""
        return "\n".join(self.log)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self.process.pid is not None
        return self.process.pid

    def count(self, pattern: str) -> int:
        """How many lines match."""
        return sum(1 for line in self.log if re.search(pattern, line))

    async def said(self, pattern: str, *, times: int = 1, within_s: float = 20) -> re.Match[str]:
        """The match in the ``times``-th line that has one, once it was said.

        Raises:
            AssertionError: it is not said in time, or the program ended; with all that was said.
        """
        try:
            async with asyncio.timeout(within_s):
                while True:
                    found = [match for line in self.log if (match := re.search(pattern, line))]
                    if len(found) >= times:
                        return found[times - 1]
                    if self.process.exit is not None:
                        break
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        raise AssertionError(f"{self.process.name} did not say {pattern!r} ({times} times); it said:\n{self.text}")

    def signal(self, number: signal.Signals) -> None:
        """Send this process, and nothing of its group, a signal."""
        os.kill(self.pid, number)

    async def wait(self, *, within_s: float = 20) -> Exit:
        """How it ended."""
        try:
            async with asyncio.timeout(within_s):
                return await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"{self.process.name} does not end; it said:\n{self.text}") from None


@asynccontextmanager
async def program(
    name: str, argv: tuple[str, ...], *, cwd: Path, env: Mapping[str, str] | None = None
) -> AsyncIterator[Program]:
    """Run a program; leaving ends it, if it has not ended."""
    log: list[str] = []
    news = asyncio.Event()

    def on_line(_stream: str, line: bytes) -> None:
        log.append(line.decode("utf-8", "replace"))
        news.set()

    environ = {**inherited_environment(), **(env or {})}
    spec = ProcessSpec(name=name, argv=argv, env=environ, cwd=str(cwd), output=Output.LINES, grace_s=15)
    process = Process(spec, sink=on_line)
    async with process:
        yield Program(process, log, news)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run this while the block runs; a failure of the block comes out as it is, not in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            task = group.create_task(work)
            try:
                yield
            finally:
                task.cancel()
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None


async def until(condition: Callable[[], Any], what: Callable[[], str], *, within_s: float = 20) -> Any:
    """The first truthy value of a condition, which may be a coroutine function.

    Raises:
        AssertionError: there is none in time; says ``what()``.
    """
    try:
        async with asyncio.timeout(within_s):
            while True:
                value = condition()
                if asyncio.iscoroutine(value):
                    value = await value
                if value:
                    return value
                await asyncio.sleep(_PAUSE_S)
    except TimeoutError:
        raise AssertionError(f"not within {within_s:g} s: {what()}") from None


class LiveDiscovery:
    """A running control plane: its ports, its files, its debug endpoints."""

    def __init__(self, running: Program, config: Path, ports: Mapping[str, int]) -> None:
        self.program = running
        self.config = config
        self.grpc = ports["grpc"]
        self.secure = ports.get("secure port", 0)
        self.monitoring = ports["monitoring"]

    def write(self, name: str, text: str) -> None:
        """Replace a file of the configuration at once, as editors and ConfigMaps do."""
        path = self.config / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(f".{path.name}.new")
        fresh.write_text(text, encoding="utf-8")
        fresh.rename(path)

    def remove(self, name: str) -> None:
        """Remove a file of the configuration."""
        (self.config / name).unlink()

    async def ask(self, path: str) -> Response:
        """One question at the monitoring port."""
        return await fetch(TcpTarget("127.0.0.1", self.monitoring), path, timeout_s=10)

    async def debug(self, path: str) -> Any:
        """The data of a debug endpoint."""
        response = await self.ask(f"/debug/{path}")
        assert response.status == 200, (path, response.status, response.body)
        return msgspec.json.decode(response.body)

    async def metric(self, sample: str) -> float:
        """A sample of ``/metrics``, named as it is written there; 0 where it is not written."""
        text = (await self.ask("/metrics")).body.decode()
        for line in text.splitlines():
            name, _, value = line.rpartition(" ")
            if name == sample:
                return float(value)
        return 0.0

    async def pushed(self, *types: str) -> dict[str, int]:
        """Responses written so far, by type in lower case; all types by default."""
        text = (await self.ask("/metrics")).body.decode()
        found = re.findall(r'^pilot_xds_pushes(?:_total)?\{type="(\w+)"\} ([\d.e+]+)$', text, re.MULTILINE)
        return {kind: int(float(value)) for kind, value in found if not types or kind in types}

    async def finding(self, pattern: str) -> str:
        """The entry about the configuration that matches, once there is one, as text."""

        async def look() -> str:
            found = (await self.debug("push_status"))["configuration"].items()
            texts = (f"{title}: {entry}" for title, entry in found)
            return next((text for text in texts if re.search(pattern, text)), "")

        text: str = await until(look, lambda: f"a finding {pattern!r}; the log:\n{self.program.text}")
        return text

    async def ready(self) -> bool:
        """Whether it says that it is."""
        try:
            return (await self.ask("/ready")).status == 200
        except HttpClientError:
            return False


@asynccontextmanager
async def live_discovery(
    directory: Path,
    config: Path,
    *,
    env: Mapping[str, str] | None = None,
    args: tuple[str, ...] = (),
    ports: tuple[int, int] = (0, 0),
    secure: int | None = None,
) -> AsyncIterator[LiveDiscovery]:
    """Run the control plane on a directory of YAML; leaving ends it.

    Args:
        directory: its working directory.
        config: the YAML.
        ports: of plaintext xDS and of monitoring; 0 for any.
        secure: the secure port, 0 for any; without it there is none, which starts faster.
    """
    argv = (
        *(sys.executable, "-m", "discovery", "discovery", "--configDir", str(config)),
        *("--grpcAddr", f"127.0.0.1:{ports[0]}", "--monitoringAddr", f"127.0.0.1:{ports[1]}"),
        *("--httpAddr", "", "--secureGRPCAddr", "" if secure is None else f"127.0.0.1:{secure}", *args),
    )
    async with program("pilot-discovery", argv, cwd=directory, env=env) as running:
        await running.said(r"^\[info\s*\] ready\b")
        listening = [re.search(r"listening .*what='?(.+?)'? port=(\d+)", line) for line in running.log]
        yield LiveDiscovery(running, config, {match[1]: int(match[2]) for match in listening if match})
