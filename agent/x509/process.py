"""The X.509 process as the agent sees it: started with the first question, ended a little after the last.

At the start of an agent and at each renewal several questions come one after another; one child answers them all. In
between, for hours, there is none.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from types import TracebackType
from typing import Final, Self

from agent.x509.frames import HEADER_BYTES, FrameError, frame, frame_size
from certs.errors import CertsError
from discovery.runtime.logs import get_logger

__all__ = ["COMMAND", "X509Process"]

COMMAND: Final = (sys.executable, "-m", "agent.x509")

_IDLE_S: Final = 5.0
# An RSA key of 8192 bits takes about ten seconds.
_ANSWER_S: Final = 60.0

log = get_logger("sds")


class X509Process:
    """Answers encoded questions, one at a time, as a service of the agent (``discovery.runtime.supervise.Service``).

    Args:
        command: what to start; it must answer frames on its standard input with frames on its standard output.
        idle_s: how long it is kept after an answer.
        answer_s: how long an answer may take.
    """

    name = "x509"

    def __init__(
        self, command: tuple[str, ...] = COMMAND, *, idle_s: float = _IDLE_S, answer_s: float = _ANSWER_S
    ) -> None:
        self._command = command
        self._idle_s = idle_s
        self._answer_s = answer_s
        self._child: Process | None = None
        self._turn = asyncio.Lock()
        self._asked = asyncio.Event()

    @property
    def pid(self) -> int | None:
        """The child's process id while there is one."""
        return None if self._child is None else self._child.pid

    async def __aenter__(self) -> Self:
        """Nothing is started yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the child."""
        await self._end()

    async def run(self) -> None:
        """End the child whenever nothing was asked for a while, until cancelled."""
        while True:
            self._asked.clear()
            try:
                async with asyncio.timeout(self._idle_s if self._child is not None else None):
                    await self._asked.wait()
            except TimeoutError:
                async with self._turn:
                    if not self._asked.is_set():
                        await self._end()

    async def exchange(self, question: bytes) -> bytes:
        """The answer to a question.

        Raises:
            CertsError: the child cannot be started, ends, or takes too long.
        """
        async with self._turn:
            try:
                async with asyncio.timeout(self._answer_s):
                    return await self._converse(question)
            except TimeoutError:
                await self._end()
                raise CertsError("X.509 process", f"no answer within {self._answer_s:g} s") from None
            except (OSError, EOFError, FrameError) as error:
                ended = await self._end()
                raise CertsError("X.509 process", f"{str(error) or type(error).__name__}{ended}") from error
            except asyncio.CancelledError:
                await self._end()  # its answer would be taken for that to the next question
                raise
            finally:
                self._asked.set()

    async def _converse(self, question: bytes) -> bytes:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                *self._command, stdin=PIPE, stdout=PIPE, start_new_session=True
            )
        stdin, stdout = self._child.stdin, self._child.stdout
        if stdin is None or stdout is None:
            raise FrameError("the child has no pipes")
        stdin.write(frame(question))
        await stdin.drain()
        return await stdout.readexactly(frame_size(await stdout.readexactly(HEADER_BYTES)))

    async def _end(self) -> str:
        """Kill the child, which holds nothing that could be lost; says how it had ended if it was by itself."""
        child, self._child = self._child, None
        if child is None:
            return ""
        ended = "" if child.returncode is None else f" (ended with status {child.returncode})"
        if child.returncode is None:
            child.kill()
        await child.wait()
        log.debug("X.509 process is gone", pid=child.pid)
        return ended
