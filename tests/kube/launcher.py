"""Programs that live as long as a context of the test session, whatever event loops come and go."""

from __future__ import annotations

import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["Launcher", "Running", "wait_until"]

_READY_WITHIN_S: Final = 60.0
_GRACE_S: Final = 15.0
_PAUSE_S: Final = 0.05


class Running(msgspec.Struct, frozen=True):
    """A program that was started."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def tail(self) -> str:
        """The end of what it said."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-4000:]


class Launcher:
    """Starts programs that end with us, and are ended in reverse order. Call it on the main thread.

    The kernel ends them when the thread that started them does.
    """

    def __init__(self, directory: Path, prefix: tuple[str, ...], stack: ExitStack) -> None:
        self._directory = directory
        self._prefix = prefix
        self._stack = stack

    def __call__(self, name: str, *command: str, env: Mapping[str, str] | None = None) -> Running:
        log = self._directory / f"{name}.log"
        setpriv = shutil.which("setpriv")
        tether = (setpriv, "--pdeathsig", "KILL", "--") if setpriv else ()
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*self._prefix, *tether, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=self._directory,
                env=env,
                start_new_session=True,  # Ctrl-C reaches us, and we end them in order
            )
        self._stack.callback(_end, process)
        return Running(name, process, log)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_GRACE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until(condition: Callable[[], bool], *programs: Running, what: Callable[[], str] = str) -> None:
    """Return once the condition holds.

    Raises:
        AssertionError: one of the programs ended, or a minute is over; the text holds the end of its log, and what
            ``what`` says.
    """
    deadline = time.monotonic() + _READY_WITHIN_S
    while not condition():
        ended = [program for program in programs if program.process.poll() is not None]
        late = [program for program in programs if time.monotonic() > deadline]
        for program in ended or late:
            state = f"ended with status {program.process.returncode}" if ended else "is not ready in time"
            raise AssertionError(f"{program.name} {state}; the end of its log:\n{program.tail()}\n{what()}")
        time.sleep(_PAUSE_S)
