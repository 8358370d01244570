from __future__ import annotations

import pytest

from agent.capture.processes import CaptureError, Outcome, Printing, Processes, must
from tests.kit.capture import ScriptedRunner


def test_programs_read_and_answer() -> None:
    """Status, output and errors are told apart; a program that is not there is 127."""
    assert Processes().run(["cat"], stdin="text") == Outcome(output="text")
    failed = Processes().run(["sh", "-c", "echo no >&2; exit 3"])
    assert (failed.status, failed.errors) == (3, "no\n")
    assert Processes().run(["/nonexistent/program"]).missing


def test_dry_run_prints_and_finds_nothing() -> None:
    """The command as one would type it, and what it would read."""
    printed: list[str] = []
    assert Printing(printed.append).run(["a", "b c"], stdin="input\n") == Outcome()
    assert printed == ["a 'b c'\ninput\n"]


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome(status=127), "nft is not installed or not on PATH; install it"),
        (Outcome(status=4, errors="x: Permission denied\n"), "root or CAP_NET_ADMIN is needed; it said: x: Permission"),
        (Outcome(status=1), "nft -f - failed with status 1; it said: nothing"),
    ],
)
def test_failures_tell_program_reason_and_remedy(outcome: Outcome, words: str) -> None:
    """One line."""
    with pytest.raises(CaptureError) as caught:
        must(ScriptedRunner({"nft": outcome}), ("nft", "-f", "-"))
    assert words in str(caught.value)
