"""Programs that change the kernel's rules: run, or only printed. The one place in capture that starts processes."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import msgspec

__all__ = ["CaptureError", "Outcome", "Printing", "Processes", "Runner", "must"]

_TIMEOUT_S: Final = 60.0
_MISSING: Final = 127


class CaptureError(RuntimeError):
    """Rules could not be put in place or removed; the text says which program said what."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a program ended. Status 127: it is not there."""

    status: int = 0
    output: str = ""
    errors: str = ""

    @property
    def missing(self) -> bool:
        """There is no such program."""
        return self.status == _MISSING


class Runner(Protocol):
    """Runs a program to its end."""

    def run(self, command: Sequence[str], *, stdin: str = "") -> Outcome:
        """Its outcome; never raises for a program that fails."""


class Processes:
    """Runs them."""

    def run(self, command: Sequence[str], *, stdin: str = "") -> Outcome:
        """At most a minute, which is longer than a lock is waited for."""
        try:
            done = subprocess.run(  # noqa: S603 - programs of our own choice, no shell
                list(command), input=stdin, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
            )
        except FileNotFoundError:
            return Outcome(status=_MISSING, errors=f"{command[0]}: not found")
        except subprocess.TimeoutExpired:
            return Outcome(status=124, errors=f"no end within {_TIMEOUT_S:g} s")
        return Outcome(status=done.returncode, output=done.stdout, errors=done.stderr)


class Printing:
    """Prints them, for ``--dry-run``; every program seems to find nothing and to succeed."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def run(self, command: Sequence[str], *, stdin: str = "") -> Outcome:
        """Write the command and what it would read."""
        self._write(f"{shlex.join(command)}\n{stdin}")
        return Outcome()


def must(runner: Runner, command: Sequence[str], *, stdin: str = "") -> str:
    """The output of a program that has to succeed.

    Raises:
        CaptureError: it did not; with its last words and what to do.
    """
    outcome = runner.run(command, stdin=stdin)
    if outcome.status == 0:
        return outcome.output
    if outcome.missing:
        raise CaptureError(f"{command[0]} is not installed or not on PATH; install it, or the package it is in")
    said = " ".join(outcome.errors.split()) or "nothing"
    hint = (
        ": root or CAP_NET_ADMIN is needed" if "ermission denied" in said or "Operation not permitted" in said else ""
    )
    raise CaptureError(f"{shlex.join(command)} failed with status {outcome.status}{hint}; it said: {said}")
