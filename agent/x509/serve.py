"""The child's loop: questions in, answers out, until the pipe ends."""

from __future__ import annotations

import resource
from typing import BinaryIO

from agent.x509.frames import frame, read_frame
from agent.x509.operations import answer

__all__ = ["forbid_core_dumps", "serve"]


def serve(questions: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the agent closes its end or dies.

    Raises:
        FrameError, msgspec.DecodeError: the other side is no agent.
    """
    while (question := read_frame(questions)) is not None:
        answers.write(frame(answer(question)))
        answers.flush()


def forbid_core_dumps() -> None:
    """Private keys are in this process: a crash must not write them to disk."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
