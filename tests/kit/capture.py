"""A pretended host for capture: programs that answer as told, and remember what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from agent.capture.processes import Outcome
from agent.capture.settings import CaptureSettings, HostFacts, load_capture_settings

__all__ = ["ScriptedRunner", "capture_settings"]

Answer = Outcome | Callable[[], Outcome]


class ScriptedRunner:
    """Answers by the longest beginning of a command that it knows; unknown programs succeed and say nothing."""

    def __init__(self, answers: Mapping[str, Answer] | None = None) -> None:
        self.answers = dict(answers or {})
        self.commands: list[str] = []
        self.inputs: list[str] = []

    def run(self, command: Sequence[str], *, stdin: str = "") -> Outcome:
        """Remember, then answer."""
        text = " ".join(command)
        self.commands.append(text)
        if stdin:
            self.inputs.append(stdin)
        known = [start for start in self.answers if text.startswith(start)]
        answer = self.answers[max(known, key=len)] if known else Outcome()
        return answer if isinstance(answer, Outcome) else answer()


def capture_settings(host: HostFacts | None = None, **flags: object) -> CaptureSettings:
    """Settings of these flags, by field, on an ordinary IPv4 host."""
    return load_capture_settings(flags, {}, host or HostFacts())[0]
