"""Questions answered inside this process: no network, no server, only the code asked about.

A question is a function that gives rows; it registers itself and runs with the others. One that needs something absent
(a data set beside the checkout) raises ``Unavailable`` and is reported as not run.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from benchmarks.rows import Row

__all__ = ["QUESTIONS", "Question", "UnavailableError", "best_of", "in_process", "run_all"]

Question = Callable[[], Sequence[Row]]

QUESTIONS: dict[str, Question] = {}


class UnavailableError(Exception):
    """The question cannot be asked here; the text says what is missing."""


def in_process(question: Question) -> Question:
    """Register a question under its function's name."""
    QUESTIONS[question.__name__] = question
    return question


def best_of(times: int, prepare: Callable[[], Callable[[], object]]) -> float:
    """Seconds of the fastest of several runs; ``prepare`` is not timed and gives what is."""
    best = float("inf")
    for _ in range(times):
        run = prepare()
        started = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - started)
    return best


def run_all() -> tuple[list[Row], list[str]]:
    """Rows of all registered questions, and a line for each that could not be asked."""
    rows: list[Row] = []
    skipped: list[str] = []
    for name, question in QUESTIONS.items():
        try:
            rows.extend(question())
        except UnavailableError as missing:
            skipped.append(f"{name}: {missing}")
    return rows, skipped
