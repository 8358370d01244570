"""The life of a child process as a table: which states there are, what may follow what, and how an end reads.

Pure, so that every path (it died before we asked, it ignored SIGTERM, it was killed twice) is a line in a test.
``discovery.runtime.process`` does what is decided here.
"""

from __future__ import annotations

import signal
from enum import StrEnum
from typing import Final

import msgspec

__all__ = ["TRANSITIONS", "Exit", "IllegalTransitionError", "ProcessEvent", "ProcessState", "advance"]


class ProcessState(StrEnum):
    """Where a child process stands."""

    NEW = "new"
    RUNNING = "running"
    STOPPING = "stopping"  # SIGTERM was sent
    KILLING = "killing"  # SIGKILL was sent
    EXITED = "exited"
    FAILED = "failed"  # it could not be started


class ProcessEvent(StrEnum):
    """What can happen to it."""

    SPAWNED = "spawned"
    SPAWN_FAILED = "spawn failed"
    TERMINATE = "terminate"
    KILL = "kill"
    ENDED = "ended"


class IllegalTransitionError(RuntimeError):
    """An event that cannot happen in the present state; nothing was changed."""


# Asking twice is harmless, and so is asking a process that has just ended by itself: nobody can exclude that race.
TRANSITIONS: Final[dict[tuple[ProcessState, ProcessEvent], ProcessState]] = {
    (ProcessState.NEW, ProcessEvent.SPAWNED): ProcessState.RUNNING,
    (ProcessState.NEW, ProcessEvent.SPAWN_FAILED): ProcessState.FAILED,
    (ProcessState.RUNNING, ProcessEvent.TERMINATE): ProcessState.STOPPING,
    (ProcessState.RUNNING, ProcessEvent.KILL): ProcessState.KILLING,
    (ProcessState.RUNNING, ProcessEvent.ENDED): ProcessState.EXITED,
    (ProcessState.STOPPING, ProcessEvent.TERMINATE): ProcessState.STOPPING,
    (ProcessState.STOPPING, ProcessEvent.KILL): ProcessState.KILLING,
    (ProcessState.STOPPING, ProcessEvent.ENDED): ProcessState.EXITED,
    (ProcessState.KILLING, ProcessEvent.TERMINATE): ProcessState.KILLING,
    (ProcessState.KILLING, ProcessEvent.KILL): ProcessState.KILLING,
    (ProcessState.KILLING, ProcessEvent.ENDED): ProcessState.EXITED,
    (ProcessState.EXITED, ProcessEvent.TERMINATE): ProcessState.EXITED,
    (ProcessState.EXITED, ProcessEvent.KILL): ProcessState.EXITED,
}


def advance(state: ProcessState, event: ProcessEvent) -> ProcessState:
    """The state after an event.

    Raises:
        IllegalTransitionError: the table has no such line.
    """
    following = TRANSITIONS.get((state, event))
    if following is None:
        raise IllegalTransitionError(f"a process that is {state} cannot see {event!r}")
    return following


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """How a process ended: ``code`` or ``signal`` is set, never both; ``asked``: we had sent SIGTERM or SIGKILL."""

    code: int | None = None
    signal: int | None = None
    asked: bool = False

    @classmethod
    def from_returncode(cls, returncode: int, *, asked: bool) -> Exit:
        """From the convention of ``subprocess``: a negative number is a signal."""
        if returncode < 0:
            return cls(signal=-returncode, asked=asked)
        return cls(code=returncode, asked=asked)

    @property
    def clean(self) -> bool:
        """Whether nobody needs to worry: status 0, or an end that we asked for."""
        return self.asked or self.code == 0

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit status {self.code}"
        try:
            name = signal.Signals(self.signal).name
        except ValueError:
            name = f"signal {self.signal}"
        if self.signal == signal.SIGKILL and not self.asked:
            return (
                f"killed by {name}; we did not send it, so look for the kernel's out-of-memory killer and memory limits"
            )
        return f"killed by {name}"
