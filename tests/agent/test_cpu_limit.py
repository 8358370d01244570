"""Processors that the control group grants."""

from __future__ import annotations

from pathlib import Path

import pytest

from agent.cpu_limit import cpu_limit


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({}, 0),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n"}, 0),
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1),
        ({"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3),
        ({"sys/fs/cgroup/cpu.max": "nonsense\n"}, 0),
        (
            {
                "proc/self/cgroup": "0::/kubepods/pod1/c1\n",
                "sys/fs/cgroup/kubepods/pod1/c1/cpu.max": "max 100000",
                "sys/fs/cgroup/kubepods/pod1/cpu.max": "200000 100000",
                "sys/fs/cgroup/kubepods/cpu.max": "800000 100000",
            },
            2,
        ),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "150000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 2),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 0),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "0"}, 0),
    ],
)
def test_limits(tmp_path: Path, files: dict[str, str], cpus: int) -> None:
    """Rounded up, the smallest on the way up, in both versions of control groups; none without a limit."""
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert cpu_limit(tmp_path) == cpus
