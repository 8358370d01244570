"""A stream of bytes cut into lines, whatever their size and however they arrive. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["MAX_LINE_BYTES", "LineError", "Lines"]

MAX_LINE_BYTES: Final = 32 * 1024 * 1024  # an object of the API has 3 MB at most; an answer must not fill our memory


class LineError(Exception):
    """The stream is no sequence of lines: cut within one, or without end."""


class Lines:
    """Keeps the beginning of a line until its end arrives."""

    def __init__(self, *, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that end within the piece, without their ends; empty ones are left out.

        Raises:
            LineError: a line is longer than allowed.
        """
        first, *rest = piece.split(b"\n")
        self._keep(first)
        for part in rest:
            line = b"".join(self._parts)
            self._parts, self._size = [], 0
            self._keep(part)
            if line.strip():
                yield line

    def finish(self) -> None:
        """The stream has ended.

        Raises:
            LineError: within a line.
        """
        if b"".join(self._parts).strip():
            raise LineError(f"the stream ended within a line, after {self._size} bytes of it")

    def _keep(self, part: bytes) -> None:
        if part:
            self._parts.append(part)
            self._size += len(part)
        if self._size > self._limit:
            raise LineError(f"a line is longer than {self._limit} bytes")
