"""What can go wrong in the engine itself; all of these are our own mistakes, never a user's.

EngineError
├── CycleError               a query needs its own value
└── CommitWhileRunningError  a query tried to change inputs
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["CommitWhileRunningError", "CycleError", "EngineError"]


class EngineError(RuntimeError):
    """The engine was used against its rules."""


class CycleError(EngineError):
    """A query needs its own value; ``path`` names the queries on the way round, first and last the same."""

    def __init__(self, path: Sequence[str]) -> None:
        super().__init__("query cycle: " + " -> ".join(path) + "; break it by a query that reads less")
        self.path = tuple(path)


class CommitWhileRunningError(EngineError):
    """Inputs may only change between queries, for a query must see one revision."""
