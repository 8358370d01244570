from collections.abc import Sequence

import pytest

from benchmarks import inprocess
from benchmarks.rows import Row, row


def test_questions_register_and_may_be_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A question that cannot be asked here is said, and does not keep the others from running."""
    monkeypatch.setattr(inprocess, "QUESTIONS", {})

    @inprocess.in_process
    def absent() -> Sequence[Row]:
        raise inprocess.UnavailableError("no data here")

    @inprocess.in_process
    def present() -> Sequence[Row]:
        return [row("figure", "s", 1, "ms")]

    rows, skipped = inprocess.run_all()
    assert [r.name for r in rows] == ["figure"]
    assert skipped == ["absent: no data here"]
