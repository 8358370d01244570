"""What a process and its children have used, as the kernel accounts it.

Spec: proc(5), ``/proc/<pid>/stat`` and ``/proc/<pid>/status``
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

__all__ = ["Usage", "parse_stat", "usage"]

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


class Usage(NamedTuple):
    """CPU since the start, of all threads, children and children that ended; memory now and at its highest."""

    cpu_s: float
    rss_mb: float
    peak_rss_mb: float


class _Stat(NamedTuple):
    parent: int
    ticks: int


def parse_stat(text: str) -> _Stat:
    """Parent and CPU ticks (own and of ended children) of a ``stat`` line; the name may hold anything, so cut it."""
    values = text[text.rindex(")") + 2 :].split()
    return _Stat(parent=int(values[1]), ticks=sum(int(value) for value in values[11:15]))


def _stats() -> dict[int, _Stat]:
    found = {}
    for entry in _PROC.iterdir():
        if entry.name.isdecimal():
            try:
                found[int(entry.name)] = parse_stat((entry / "stat").read_text())
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    return found


def _family(pid: int, stats: dict[int, _Stat]) -> set[int]:
    family = {pid}
    while True:
        more = {child for child, stat in stats.items() if stat.parent in family} - family
        if not more:
            return family
        family |= more


def _memory_kb(pid: int) -> tuple[int, int]:
    try:
        lines = (_PROC / str(pid) / "status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0
    values = {key: value for key, _, value in (line.partition(":") for line in lines)}
    return tuple(int(values.get(key, "0").split()[0]) for key in ("VmRSS", "VmHWM"))  # type: ignore[return-value]  # two


def _threads_cpu_s(pid: int) -> float:
    """By the scheduler's own account; threads that have ended are not in it. Spec: proc(5), ``schedstat``."""
    threads = (_PROC / str(pid) / "task").iterdir()
    return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9


def usage(pid: int, *, children: bool = True) -> Usage:
    """Usage of the process and everything it started, or of the process alone: then to the nanosecond, and without
    children that have ended.

    Raises:
        ProcessLookupError: there is no such process.
    """
    stats = _stats()
    if pid not in stats:
        raise ProcessLookupError(f"process {pid} has ended; look at its log")
    family = _family(pid, stats) if children else {pid}
    memory = [_memory_kb(member) for member in family]
    return Usage(
        cpu_s=sum(stats[member].ticks for member in family) / _TICKS_PER_S if children else _threads_cpu_s(pid),
        rss_mb=sum(rss for rss, _ in memory) / 1024,
        peak_rss_mb=sum(peak for _, peak in memory) / 1024,
    )
