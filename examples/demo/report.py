"""How the demo looks on a terminal: titles, tables, trees, bars, and the list of claims."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from examples.demo.claims import Claim
from examples.demo.errors import DemoError
from examples.demo.fleet import Resident
from examples.demo.traffic import Hop

__all__ = ["Report", "bar_chart", "hop_tree", "memory_rows", "sync_rows", "table"]

_COLUMNS: Final = (
    ("clusters", CLUSTER),
    ("endpoints", ENDPOINT),
    ("listeners", LISTENER),
    ("routes", ROUTE),
    ("hosts", VIRTUAL_HOST),
)
_BAR: Final = 40
_TAIL_LINES: Final = 15
_MB: Final = 1 << 20


class Report:
    """Prints, in colours where they can be seen."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty()

    def title(self, text: str) -> None:
        """What comes next."""
        print(f"\n{self._paint(text, '1')}", flush=True)

    def lines(self, lines: Iterable[str]) -> None:
        """Indented text."""
        for line in lines:
            print(f"  {line}", flush=True)

    def claim(self, claim: Claim) -> None:
        """One claim with its mark."""
        mark = self._paint("ok  ", "32") if claim.holds else self._paint("FAIL", "31;1")
        print(f"  {mark} {claim.what}: {claim.detail}", flush=True)

    def failure(self, error: DemoError) -> None:
        """Why the demo cannot go on, and what the log says."""
        print(f"\n{self._paint('The demo failed:', '31;1')} {error}", file=sys.stderr)
        if error.log is not None:
            print(f"\nThe end of {error.log}:", file=sys.stderr)
            for line in tail(error.log):
                print(f"  {line}", file=sys.stderr)
        if error.hint:
            print(f"\nWhat to do: {error.hint}", file=sys.stderr)

    def _paint(self, text: str, code: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colours else text


def tail(path: Path) -> list[str]:
    """The last lines of a log."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:] or ["(it is empty)"]
    except OSError as error:
        return [f"(cannot be read: {error.strerror})"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Columns as wide as their content."""
    grid = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
    for row in grid:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def sync_rows(syncz: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What ``/debug/syncz`` says: for each proxy and type whether it has what it should have."""

    def cells(entry: Mapping[str, Any]) -> tuple[str, ...]:
        states = (entry["resources"].get(url, {}).get("status", "-") for _, url in _COLUMNS)
        return str(entry["proxy"]), *states

    return table(("proxy", *(name for name, _ in _COLUMNS)), map(cells, syncz))


def hop_tree(answer: Hop, indent: str = "") -> Iterator[str]:
    """Who called whom, and by which certificate the caller was known."""
    label = f"{answer.name} {answer.version}".strip()
    seen = answer.error or f"called by {answer.caller or 'somebody without a certificate'}"
    yield f"{indent}{label:<{max(1, 24 - len(indent))}} {seen}"
    for call in answer.calls:
        yield from hop_tree(call, indent + "  ")


def bar_chart(counts: Counter[str], weights: Mapping[str, int]) -> Iterator[str]:
    """A bar for each version, with what it should be."""
    sent = sum(counts.values())
    for version in (*weights, *(sorted(counts.keys() - weights.keys()))):
        share = counts[version] / sent if sent else 0.0
        bar = "#" * round(_BAR * share)
        wanted = f"weight {weights.get(version, 0)}"
        yield f"{version}  {bar:<{_BAR}} {counts[version]:4} requests, {share:4.0%}, {wanted}"


def memory_rows(residents: Sequence[Resident], kinds: Mapping[int, str]) -> Iterator[str]:
    """Resident memory by kind of process; ``kinds``: of those started directly, others are their Envoys."""
    grouped: dict[str, list[float]] = {}
    for resident in residents:
        parent = kinds.get(resident.parent, "")
        kind = kinds.get(resident.pid) or (f"Envoy of {parent}" if parent else "other")
        grouped.setdefault(kind, []).append(resident.memory_bytes / _MB)
    rows = []
    for kind, sizes in sorted(grouped.items()):
        each = f"{min(sizes):.0f} MB" if len(sizes) == 1 else f"{min(sizes):.0f} to {max(sizes):.0f} MB each"
        rows.append((kind, str(len(sizes)), each))
    return table(("process", "count", "resident memory"), rows)
