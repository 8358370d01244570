"""Tables for terminals and for scripts: columns padded with spaces, no frames, so that ``awk`` and eyes read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["render_table"]


def render_table(header: Sequence[str], rows: Iterable[Sequence[str]], *, gap: int = 5) -> str:
    """Lines, each ending in a line feed; a column is as wide as its widest cell plus the gap."""
    lines = [list(header), *map(list, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return "".join(_line(line, widths, gap) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int], gap: int) -> str:
    *padded, last = (cell.ljust(width + gap) for cell, width in zip(cells, widths, strict=True))
    return "".join([*padded, last]).rstrip() + "\n"
