"""The two processes of a measurement: the server under test, and the load generator beside it.

Both are asyncio subprocesses in groups of their own; leaving the context ends the group.
"""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.accounting import Usage, usage

__all__ = ["LoadGenerator", "MeasuringError", "Process", "Server", "free_ports"]

PILOT_DISCOVERY = (
    "{python} -m discovery discovery --configDir {dir} --registries= --grpcAddr 127.0.0.1:{grpc} "
    "--httpAddr 127.0.0.1:{http} --monitoringAddr 127.0.0.1:{monitoring} --secureGRPCAddr= --httpsAddr= "
    "--log_output_level default:warn"
)
# As a mesh with certificates starts it: the secure port behind its Envoy, the authority and its tokens in {state}.
PILOT_DISCOVERY_SECURE = (
    "{python} -m discovery discovery --configDir {dir} --registries= --grpcAddr 127.0.0.1:{grpc} "
    "--httpAddr 127.0.0.1:{http} --monitoringAddr 127.0.0.1:{monitoring} --secureGRPCAddr 127.0.0.1:{secure} "
    "--httpsAddr= --caDir {state}/ca --devTokenDir {state}/tokens --log_output_level default:warn"
)
# From an API server, as in a cluster; without webhooks, which nothing calls here.
PILOT_DISCOVERY_CLUSTER = (
    "{python} -m discovery discovery --kubeconfig {kubeconfig} --grpcAddr 127.0.0.1:{grpc} --httpAddr 127.0.0.1:{http} "
    "--monitoringAddr 127.0.0.1:{monitoring} --secureGRPCAddr= --httpsAddr= --log_output_level default:warn"
)
FLOOR = "{python} -m benchmarks.floor --configDir {dir} --grpcAddr 127.0.0.1:{grpc} --httpAddr 127.0.0.1:{http}"

_READY_S = 120.0
_END_S = 10.0
_ANSWER_S = 900.0


class MeasuringError(Exception):
    """A process did not do what the measurement needs; the text says which and where to look."""


def free_ports(*names: str) -> dict[str, int]:
    """A free loopback port per name. Another program could take one before the server does; then it says so."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: s.getsockname()[1] for name, s in zip(names, sockets, strict=True)}
    for s in sockets:
        s.close()
    return ports


class Process:
    """A subprocess that is killed with its group when the context ends."""

    def __init__(
        self,
        arguments: Sequence[str],
        log: Path,
        *,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._arguments = arguments
        self.log = log
        self._cwd = cwd
        self._environment = environment
        self._process: asyncio.subprocess.Process | None = None

    @property
    def process(self) -> asyncio.subprocess.Process:
        """The process while the context is entered."""
        if self._process is None:
            raise MeasuringError(f"{self._arguments[0]} was not started")
        return self._process

    async def start(self) -> None:
        """Start it; its output goes to the log."""
        with self.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *self._arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if self.pipes_output else log,
                stderr=log,
                start_new_session=True,
                cwd=self._cwd,
                env=self._environment,
                limit=1 << 24,
            )

    async def wait_for(self, url: str) -> None:
        """Until the URL answers 200.

        Raises:
            MeasuringError: the process ended, or it took too long.
        """
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline:
            if self.process.returncode is not None:
                raise MeasuringError(f"{self._arguments[0]} ended with {self.process.returncode}, see {self.log}")
            if await asyncio.to_thread(_fetch, url) is not None:
                return
            await asyncio.sleep(0.02)
        raise MeasuringError(f"{url} did not answer 200 within {_READY_S:g} s, see {self.log}")

    pipes_output = False

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        process = self.process
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with suppress(TimeoutError):
                async with asyncio.timeout(_END_S):
                    await process.wait()


class Server(Process):
    """A control plane (or the floor) started by a command line, as a user would.

    The command may name ``{python}``, ``{dir}``, ``{state}`` (a directory beside it), ``{kubeconfig}`` and the ports
    ``{grpc} {http} {monitoring} {secure}``.
    """

    def __init__(self, command: str, directory: Path, log: Path, *, kubeconfig: Path | None = None) -> None:
        ports = free_ports("grpc", "http", "monitoring", "secure")
        self.state = directory.parent
        values: Mapping[str, object] = {
            "python": sys.executable,
            "dir": directory,
            "state": self.state,
            "kubeconfig": kubeconfig,
            **ports,
        }
        super().__init__([word.format_map(values) for word in shlex.split(command)], log)
        self.address = f"127.0.0.1:{ports['grpc']}"
        self.secure_address = f"127.0.0.1:{ports['secure']}"
        self._ready_url = f"http://127.0.0.1:{ports['http']}/ready"
        self._metrics_url = f"http://127.0.0.1:{ports['monitoring']}/metrics"

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        try:
            await self.wait_for(self._ready_url)
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    def usage(self) -> Usage:
        """CPU and memory of the server and all it started."""
        return usage(self.process.pid)

    async def series(self) -> int | None:
        """Time series exported now; None when the server has no metrics endpoint."""
        page = await asyncio.to_thread(_fetch, self._metrics_url)
        return None if page is None else sum(1 for line in page.splitlines() if line and not line.startswith(b"#"))

    async def rest(self, *, still_s: float = 0.5) -> None:
        """Until the server has used no CPU for a while: whatever it still had to do is done."""
        before = self.usage().cpu_s
        for _ in range(int(_READY_S / still_s)):
            await asyncio.sleep(still_s)
            now = self.usage().cpu_s
            if now - before <= 0.02 * still_s:
                return
            before = now
        raise MeasuringError(f"the server never came to rest within {_READY_S:g} s, see {self.log}")


def _fetch(url: str) -> bytes | None:
    """The body of a 200, None for anything else."""
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 - our own loopback URL
            return bytes(response.read()) if response.status == 200 else None
    except (urllib.error.URLError, OSError):
        return None


class LoadGenerator(Process):
    """``python -m benchmarks.loadgen``, spoken to in lines."""

    pipes_output = True

    def __init__(self, address: str, log: Path, flags: Sequence[str] = ()) -> None:
        super().__init__([sys.executable, "-m", "benchmarks.loadgen", "--address", address, *flags], log)

    async def ask(self, line: str) -> dict[str, Any]:
        """Send a command, wait for its report.

        Raises:
            MeasuringError: the generator ended, or could not do it in time (the report says why).
        """
        process = self.process
        if process.stdin is None or process.stdout is None:
            raise MeasuringError("the generator has no pipes")
        process.stdin.write(f"{line}\n".encode())
        async with asyncio.timeout(_ANSWER_S):
            answer = await process.stdout.readline()
        if not answer:
            raise MeasuringError(f"the generator ended at {line!r}, see {self.log}")
        report: dict[str, Any] = json.loads(answer)
        if not report["ok"]:
            raise MeasuringError(f"{line!r} was not done in time: {json.dumps(report)}")
        return report
