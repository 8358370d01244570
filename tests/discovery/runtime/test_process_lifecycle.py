from __future__ import annotations

import signal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.runtime.process_lifecycle import (
    TRANSITIONS,
    Exit,
    IllegalTransitionError,
    ProcessEvent,
    ProcessState,
    advance,
)


@pytest.mark.parametrize(("state", "event"), sorted(product(ProcessState, ProcessEvent)))
def test_only_what_the_table_names_can_happen(state: ProcessState, event: ProcessEvent) -> None:
    """A pair outside the table raises, a pair inside gives its line."""
    if (state, event) in TRANSITIONS:
        assert advance(state, event) is TRANSITIONS[state, event]
    else:
        with pytest.raises(IllegalTransitionError, match=str(event)):
            advance(state, event)


@given(st.lists(st.sampled_from(ProcessEvent)))
def test_the_end_is_final(events: list[ProcessEvent]) -> None:
    """Once exited or failed, no event brings a process back to life."""
    state, over = ProcessState.NEW, False
    for event in events:
        try:
            state = advance(state, event)
        except IllegalTransitionError:
            continue
        assert not over or state in (ProcessState.EXITED, ProcessState.FAILED)
        over = state in (ProcessState.EXITED, ProcessState.FAILED)


@pytest.mark.parametrize("state", [ProcessState.RUNNING, ProcessState.STOPPING, ProcessState.KILLING])
def test_a_live_process_may_end_at_any_time(state: ProcessState) -> None:
    """An end by itself is legal in every live state."""
    assert advance(state, ProcessEvent.ENDED) is ProcessState.EXITED


@pytest.mark.parametrize(
    ("returncode", "asked", "text", "clean"),
    [
        (0, False, "exit status 0", True),
        (3, False, "exit status 3", False),
        (-signal.SIGSEGV, False, "killed by SIGSEGV", False),
        (-signal.SIGTERM, True, "killed by SIGTERM", True),
        (-signal.SIGKILL, True, "killed by SIGKILL", True),
        (-250, False, "killed by signal 250", False),
    ],
)
def test_an_exit_reads_as_people_say_it(*, returncode: int, asked: bool, text: str, clean: bool) -> None:
    """Status or signal by its name; clean is status 0 or what we asked for."""
    ended = Exit.from_returncode(returncode, asked=asked)
    assert str(ended) == text
    assert ended.clean is clean


def test_a_kill_we_did_not_send_hints_at_memory() -> None:
    """SIGKILL out of nowhere is mostly the out-of-memory killer, so the text says it."""
    assert "out-of-memory" in str(Exit.from_returncode(-signal.SIGKILL, asked=False))
