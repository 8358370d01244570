import os
import subprocess
import sys

import pytest

from benchmarks.accounting import parse_stat, usage


def test_stat_is_read_past_any_program_name() -> None:
    """The name may hold spaces and parentheses; own and children's ticks are added up."""
    numbers = " ".join(str(n) for n in range(14, 30))
    stat = parse_stat(f"42 (a) b (c)) S 7 42 42 0 -1 0 1 2 3 4 {numbers}")
    assert (stat.parent, stat.ticks) == (7, 14 + 15 + 16 + 17)


def test_usage_of_ourselves() -> None:
    """A running process has used memory, and its peak is at least what it has now."""
    mine = usage(os.getpid())
    assert mine.cpu_s >= 0
    assert 0 < mine.rss_mb <= mine.peak_rss_mb


def test_usage_of_ourselves_alone() -> None:
    """What a child used and left behind when it ended is not ours, and a tick is no unit for what idles."""
    before = usage(os.getpid(), children=False)
    subprocess.run([sys.executable, "-c", "sum(range(10_000_000))"], check=True)
    after = usage(os.getpid(), children=False)
    assert 0 < after.cpu_s - before.cpu_s < 0.05


def test_an_ended_process_is_an_error() -> None:
    """Figures of a process that is gone would be zeros that look like a success."""
    with pytest.raises(ProcessLookupError, match="look at its log"):
        usage(2**22 + 1)
