from __future__ import annotations

import signal

import pytest

from agent.envoy.crashes import Crashes, GiveUp, StartAgain, explain_exit
from discovery.runtime.process_lifecycle import Exit


def test_by_default_the_first_end_is_the_last() -> None:
    """The platform restarts, and counts where people look."""
    assert Crashes(max_restarts=0).on_exit(lived_s=1000) == GiveUp(0)


def test_delays_grow_until_it_gives_up() -> None:
    """Doubling up to half a minute."""
    crashes = Crashes(max_restarts=8)
    verdicts = [crashes.on_exit(lived_s=1) for _ in range(9)]
    delays = [verdict.delay_s for verdict in verdicts if isinstance(verdict, StartAgain)]
    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]
    assert verdicts[-1] == GiveUp(8)


def test_a_long_life_is_a_new_beginning() -> None:
    """One crash a day is no loop."""
    crashes = Crashes(max_restarts=1)
    assert [crashes.on_exit(lived_s=3600) for _ in range(3)] == [StartAgain(0.5, 1)] * 3
    assert crashes.on_exit(lived_s=59) == GiveUp(1)


@pytest.mark.parametrize(
    ("ended", "lived_s", "words"),
    [
        (Exit(code=1), 0.1, "cannot bind a port"),
        (Exit(code=1), 3600, ""),
        (Exit(signal=signal.SIGSEGV), 3600, "stack trace"),
        (Exit(signal=signal.SIGKILL), 1, ""),  # its own text tells of the out-of-memory killer
        (Exit(signal=signal.SIGKILL, asked=True), 1, ""),
        (Exit(code=0), 0.1, ""),
    ],
)
def test_what_to_look_at(ended: Exit, lived_s: float, words: str) -> None:
    """A start that failed is told from a crash, and from an end that somebody asked for."""
    hint = explain_exit(ended, lived_s=lived_s)
    assert words in hint
    assert bool(words) == bool(hint)
