"""Paths that events named, until they are due. Pure; instants are seconds of a monotonic clock.

A file that is moved into place is whole at once. One that is written in place is left alone until its writer pauses:
half a file can be valid YAML and mean something else.
"""

from __future__ import annotations

from math import inf

__all__ = ["Pending"]


class Pending:
    """What is to be looked at, and when.

    Args:
        pause_s: how long a writer must pause.
        at_most_s: after how long a file is looked at although it is still being written.
    """

    def __init__(self, *, pause_s: float, at_most_s: float) -> None:
        self._pause_s = pause_s
        self._at_most_s = at_most_s
        self._due_at: dict[str, float] = {}
        self._last_call: dict[str, float] = {}  # of files being written

    def placed(self, path: str) -> None:
        """The path came, went, or was replaced: it is due at once."""
        self._due_at[path] = -inf

    def written(self, path: str, now: float) -> None:
        """The file was written to."""
        last_call = self._last_call.setdefault(path, now + self._at_most_s)
        if self._due_at.get(path) != -inf:
            self._due_at[path] = min(last_call, now + self._pause_s)

    def next_at(self) -> float:
        """When the next path is due; infinity when there is none."""
        return min(self._due_at.values(), default=inf)

    def take(self, now: float) -> frozenset[str]:
        """The paths that are due; they are forgotten."""
        due = frozenset(path for path, at in self._due_at.items() if at <= now)
        for path in due:
            del self._due_at[path]
            self._last_call.pop(path, None)
        return due
