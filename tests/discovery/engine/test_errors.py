"""Errors of the engine are ours, and say what happened."""

from __future__ import annotations

from discovery.engine import CommitWhileRunningError, CycleError, EngineError


def test_a_cycle_is_told_as_a_path() -> None:
    """First and last the same, and what to do."""
    error = CycleError(["a(1)", "b(1)", "a(1)"])
    assert str(error) == "query cycle: a(1) -> b(1) -> a(1); break it by a query that reads less"
    assert error.path == ("a(1)", "b(1)", "a(1)")


def test_all_are_engine_errors() -> None:
    """One name to catch them by."""
    assert issubclass(CycleError, EngineError)
    assert issubclass(CommitWhileRunningError, EngineError)
