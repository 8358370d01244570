"""Log lines for programs that are run beside every workload: the form of ``logs``, without the memory of a library.

structlog with what it imports takes 2 to 7 MB of a process; an agent's whole budget is 42.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

__all__ = ["plain_backend", "render_json", "render_line"]

_PAD = 30


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _value(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return repr(text) if not text or any(char.isspace() or char in "\"'=" for char in text) else text


def render_line(scope: str, level: str, event: str, facts: Mapping[str, Any], *, time: str) -> str:
    """``[level] event  scope=... key=value time=...``: one line, whatever the values hold."""
    items = {"scope": scope, **facts, "time": time}
    pairs = " ".join(f"{key}={_value(value)}" for key, value in items.items())
    return f"[{level:<9}] {event:<{_PAD}} {pairs}"


def render_json(scope: str, level: str, event: str, facts: Mapping[str, Any], *, time: str) -> str:
    """The same as one JSON object."""
    document = {"scope": scope, **facts, "event": event, "level": level, "time": time}
    return msgspec.json.encode(document, enc_hook=str).decode()


def plain_backend(
    levels: Mapping[str, int], numbers: Mapping[str, int], *, as_json: bool, stream: TextIO | None = None
) -> Callable[[str, str, str, Mapping[str, Any]], None]:
    """A function that writes one message, given scope, method, event and facts.

    Args:
        levels: numbers by scope, ``default`` for all others; what is below is dropped.
        numbers: of the methods.
        as_json: JSON instead of lines for people.
        stream: standard error if None.
    """
    render = render_json if as_json else render_line

    def write(scope: str, method: str, event: str, facts: Mapping[str, Any]) -> None:
        if numbers[method] >= levels.get(scope, levels["default"]):
            print(render(scope, method, event, facts, time=_now()), file=stream or sys.stderr, flush=True)

    return write
