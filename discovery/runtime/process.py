"""A supervised child process: its own process group, deadlines for its end, an exit that is seen and explained.

The agent runs Envoy beside the application with it, the control plane its own Envoy in front of the secure port. What
may follow what is decided in ``process_lifecycle``; here it is only done.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from enum import StrEnum
from types import TracebackType
from typing import Final, Self

import msgspec

from discovery.runtime.process_lifecycle import Exit, ProcessEvent, ProcessState, advance

__all__ = ["MAX_LINE_BYTES", "LineSink", "Output", "Process", "ProcessEndedError", "ProcessSpec", "SpawnError"]

# A longer line is cut in pieces: a child without line breaks must not grow our memory.
MAX_LINE_BYTES: Final = 64 * 1024
_UNKNOWN_TO_LOOP: Final = 255  # asyncio, where somebody else collected the process

LineSink = Callable[[str, bytes], None]


class Output(StrEnum):
    """Where the standard output and error of the child go."""

    INHERIT = "inherit"  # to ours
    LINES = "lines"  # line by line to the sink
    DISCARD = "discard"


class ProcessSpec(msgspec.Struct, frozen=True, kw_only=True):
    """What to run. ``argv[0]`` is the program; ``env`` None means ours; ``grace_s``: from SIGTERM to SIGKILL.

    ``outlives_us``: whether it may go on when this process is killed. Otherwise the kernel kills it then, on Linux with
    util-linux (``setpriv``); a listener left behind would take half of its successor's connections.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    output: Output = Output.INHERIT
    grace_s: float = 5.0
    outlives_us: bool = False


class SpawnError(RuntimeError):
    """The program could not be started; the text says which and why."""


class ProcessEndedError(RuntimeError):
    """The process ended although nobody asked it to; ``exit`` says how."""

    def __init__(self, name: str, ended: Exit) -> None:
        super().__init__(f"{name} ended by itself: {ended}")
        self.exit = ended


class Process:
    """One child process, and a ``Service``: entering starts it, ``run`` lasts as long as it, leaving ends it.

    Resource handling: the child leads a session and process group of its own, so that a terminal's Ctrl-C reaches only
    us and we decide about its end; when it has ended, what is left of its group is killed.
    """

    def __init__(self, spec: ProcessSpec, *, sink: LineSink | None = None) -> None:
        """With ``Output.LINES`` the sink gets ``("stdout" | "stderr", line without its end)``, on the event loop."""
        if spec.output is Output.LINES and sink is None:
            raise ValueError(f"process {spec.name!r}: output {spec.output!r} needs a sink")
        self._spec = spec
        self._sink = sink
        self._state = ProcessState.NEW
        self._transport: asyncio.SubprocessTransport | None = None
        self._ended = asyncio.Event()
        self._exit: Exit | None = None

    @property
    def name(self) -> str:
        """What it is called in logs and errors."""
        return self._spec.name

    @property
    def state(self) -> ProcessState:
        """Where its life stands."""
        return self._state

    @property
    def pid(self) -> int | None:
        """The process id, None before the start."""
        return self._transport.get_pid() if self._transport else None

    @property
    def exit(self) -> Exit | None:
        """How it ended, None until then."""
        return self._exit

    async def start(self) -> None:
        """Start the program.

        Raises:
            SpawnError: it does not exist, is not executable, or the system refuses.
            IllegalTransitionError: it was started before.
        """
        pipe = {Output.INHERIT: None, Output.LINES: asyncio.subprocess.PIPE, Output.DISCARD: asyncio.subprocess.DEVNULL}
        target = pipe[self._spec.output]
        following = advance(self._state, ProcessEvent.SPAWNED)
        try:
            argv = _command(self._spec)
            self._transport, _ = await asyncio.get_running_loop().subprocess_exec(
                lambda: _Watch(self._on_line, self._on_exit),
                *argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=target,
                stderr=target,
                env=None if self._spec.env is None else dict(self._spec.env),
                cwd=self._spec.cwd,
                start_new_session=True,
            )
        except OSError as error:
            self._state = advance(self._state, ProcessEvent.SPAWN_FAILED)
            raise SpawnError(f"cannot start {self.name} ({self._spec.argv[0]}): {error.strerror or error}") from error
        # A short-lived child may have ended while we were being told of its start.
        self._state = ProcessState.EXITED if self._exit else following

    def terminate(self) -> None:
        """Ask it to end (SIGTERM to its group); nothing happens if it has ended."""
        self._signal(ProcessEvent.TERMINATE, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL to its group); nothing happens if it has ended."""
        self._signal(ProcessEvent.KILL, signal.SIGKILL)

    async def wait(self) -> Exit:
        """How it ended, once it has."""
        await self._ended.wait()
        assert self._exit is not None  # noqa: S101 - set before the event, see _on_exit
        return self._exit

    async def stop(self) -> Exit | None:
        """SIGTERM, ``grace_s``, then SIGKILL; None if it was never started. May be called again."""
        if self._transport is None:
            return None
        self.terminate()
        try:
            async with asyncio.timeout(self._spec.grace_s):
                return await self.wait()
        except TimeoutError:
            self.kill()
            return await self.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await self.stop()
        finally:  # cancelled while waiting: no grace is left
            self.kill_now()

    def kill_now(self) -> None:
        """SIGKILL without waiting, and let go of the pipes; safe at any time, also when the loop is ending."""
        if self._transport is not None:
            if self._exit is None:
                self.kill()
            self._transport.close()

    async def run(self) -> None:
        """Last as long as the process.

        Raises:
            ProcessEndedError: it ended; under a supervisor that is an error even with status 0.
        """
        raise ProcessEndedError(self.name, await self.wait())

    def _signal(self, event: ProcessEvent, number: signal.Signals) -> None:
        self._state = advance(self._state, event)
        if self._state is not ProcessState.EXITED and self.pid is not None:
            _signal_group(self.pid, number)

    def _on_line(self, stream: str, line: bytes) -> None:
        if self._sink is not None:
            self._sink(stream, line)

    def _on_exit(self, transport: asyncio.SubprocessTransport) -> None:
        asked = self._state in (ProcessState.STOPPING, ProcessState.KILLING)
        self._exit = Exit.from_returncode(_returncode(transport), asked=asked)
        if self._state is not ProcessState.NEW:  # see start()
            self._state = advance(self._state, ProcessEvent.ENDED)
        # Its children may outlive it. The group id cannot have been given away while a member lives, and without a
        # member the call fails; only a wrap of all process ids within this moment could fool it.
        _signal_group(transport.get_pid(), signal.SIGKILL)
        self._ended.set()


def _returncode(transport: asyncio.SubprocessTransport) -> int:
    """The status, whoever collected the process: the event loop, or its ``Popen`` while the transport was closed.

    The one who comes too late makes something up: the event loop 255, the ``Popen`` 0.
    """
    by_loop = transport.get_returncode()
    by_popen: int | None = transport.get_extra_info("subprocess").returncode
    return (by_popen if by_loop == _UNKNOWN_TO_LOOP and by_popen else by_loop) or 0


def _command(spec: ProcessSpec) -> tuple[str, ...]:
    """What is really executed; the wrapper replaces itself by the program, so process id and signals are its own.

    Raises:
        FileNotFoundError, PermissionError: there is no such program; the wrapper would only give an odd exit status.
    """
    program = spec.argv[0]
    if shutil.which(program) is None:
        kind = PermissionError if os.path.exists(program) else FileNotFoundError
        reason = errno.EACCES if kind is PermissionError else errno.ENOENT
        raise kind(reason, os.strerror(reason), program)
    wrapper = None if spec.outlives_us else shutil.which("setpriv")
    return spec.argv if wrapper is None else (wrapper, "--pdeathsig", "KILL", "--", *spec.argv)


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return  # nobody of the group is left
    except PermissionError:
        return  # only a zombie or a process that changed its user is left; neither takes our signals


class _Watch(asyncio.SubprocessProtocol):
    """Turns what asyncio sees into lines and one exit."""

    def __init__(self, on_line: LineSink, on_exit: Callable[[asyncio.SubprocessTransport], None]) -> None:
        self._on_line = on_line
        self._on_exit = on_exit
        self._transport: asyncio.SubprocessTransport | None = None
        self._rest = {1: bytearray(), 2: bytearray()}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)  # noqa: S101 - asyncio's own contract
        self._transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        rest = self._rest[fd]
        rest += data
        *lines, last = rest.split(b"\n")
        for line in lines:
            self._emit(fd, line)
        while len(last) > MAX_LINE_BYTES:
            self._emit(fd, last[:MAX_LINE_BYTES])
            last = last[MAX_LINE_BYTES:]
        self._rest[fd] = last

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if self._rest.get(fd):
            self._emit(fd, self._rest[fd])
            self._rest[fd] = bytearray()

    def process_exited(self) -> None:
        if self._transport is not None:
            self._on_exit(self._transport)

    def _emit(self, fd: int, line: bytearray) -> None:
        self._on_line("stdout" if fd == 1 else "stderr", bytes(line.removesuffix(b"\r")))
