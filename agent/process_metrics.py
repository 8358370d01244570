"""The process's own figures from ``/proc``: memory, processor time, open files, start."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from agent.metrics import Family, Sample

__all__ = ["ProcessMetrics"]

_PROC: Final = Path("/proc")


class ProcessMetrics:
    """Figures of one process, under the usual names behind a prefix. Where there is no ``/proc``, nothing is told."""

    def __init__(self, prefix: str, *, proc: Path = _PROC) -> None:
        self._prefix = prefix
        self._proc = proc
        self._ticks = os.sysconf("SC_CLK_TCK")
        self._page = os.sysconf("SC_PAGE_SIZE")

    def collect(self) -> Iterable[Family]:
        """The families as they are now."""
        try:
            # After the name, which may hold anything, fields count from 3. Spec: proc_pid_stat(5).
            fields = (self._proc / "self/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
            booted_at = self._boot_time()
            open_files = len(os.listdir(self._proc / "self/fd"))
        except OSError:
            return
        cpu_s = (int(fields[11]) + int(fields[12])) / self._ticks
        started_at = booted_at + int(fields[19]) / self._ticks
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        yield self._family("virtual_memory_bytes", "Virtual memory size in bytes.", float(fields[20]))
        yield self._family("resident_memory_bytes", "Resident memory size in bytes.", int(fields[21]) * self._page)
        yield self._family("start_time_seconds", "Start time since unix epoch in seconds.", started_at)
        yield self._family("cpu_seconds_total", "User and system CPU time spent in seconds.", cpu_s, kind="counter")
        yield self._family("open_fds", "Number of open file descriptors.", open_files)
        yield self._family("max_fds", "Maximum number of open file descriptors.", limit)

    def _boot_time(self) -> float:
        for line in (self._proc / "stat").read_text(encoding="ascii").splitlines():
            if line.startswith("btime "):
                return float(line.split()[1])
        return 0.0

    def _family(self, name: str, documentation: str, value: float, *, kind: str = "gauge") -> Family:
        return Family(
            name=f"{self._prefix}_{name}", documentation=documentation, kind=kind, samples=(Sample("", (), value),)
        )
