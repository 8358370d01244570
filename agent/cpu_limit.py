"""How many processors this container may use: what its control group says.

Envoy starts a worker thread for each processor of the machine unless it is told; in a container with half a processor
on a machine of 64 that is 64 threads and their memory.

Spec: https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

__all__ = ["cpu_limit"]

_ROOT: Final = Path("/")


def cpu_limit(root: Path = _ROOT) -> int:
    """The smallest limit on the way up, in whole processors, rounded up; 0 without any. ``root``: of the files."""
    limits = [limit for limit in (*_unified(root), _first_version(root)) if limit > 0]
    return math.ceil(min(limits)) if limits else 0


def _unified(root: Path) -> Iterator[float]:
    """The limits of our group and of those it lies in."""
    groups = root / "sys/fs/cgroup"
    own = PurePosixPath(_own_group(_read(root / "proc/self/cgroup")))
    for group in (own, *own.parents):
        quota, _, period = _read(groups / str(group).lstrip("/") / "cpu.max").partition(" ")
        yield _ratio(quota, period)


def _own_group(text: str) -> str:
    return next((line.removeprefix("0::") for line in text.splitlines() if line.startswith("0::/")), "/")


def _first_version(root: Path) -> float:
    directory = root / "sys/fs/cgroup/cpu"
    return _ratio(_read(directory / "cpu.cfs_quota_us"), _read(directory / "cpu.cfs_period_us"))


def _ratio(quota: str, period: str) -> float:
    """0 where there is no limit: ``max``, -1, or no such file."""
    try:
        return max(0.0, int(quota) / int(period))
    except (ValueError, ZeroDivisionError):
        return 0.0


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
