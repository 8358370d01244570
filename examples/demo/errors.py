"""What can go wrong in the demo, told so that the reader knows what to do next."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DemoError"]


class DemoError(RuntimeError):
    """The demo cannot go on.

    Attributes:
        log: the file whose end says more, if there is one.
        hint: what to do.
    """

    def __init__(self, what: str, *, log: Path | None = None, hint: str = "") -> None:
        super().__init__(what)
        self.log = log
        self.hint = hint
