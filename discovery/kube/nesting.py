"""Objects that are nested deeper than our decoder goes: an API server takes 10 000 levels, msgspec about 1000. Pure.

Whoever may write an object with a free field, such as an EnvoyFilter's value, must not end the reading of all others.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeVar

__all__ = ["EVENT_LEVEL", "PAGE_LEVEL", "read_any_depth", "without_depths"]

T = TypeVar("T")

EVENT_LEVEL: Final = 4
"""Where the members of an object's ``spec`` are in an event: ``{"object": {"spec": {"a": [...]}}}``."""
PAGE_LEVEL: Final = 5
"""And in a page of a list: ``{"items": [{"spec": {"a": [...]}}]}``."""

_MAX_LEVELS: Final = 500
# A text as a whole, so that brackets within it do not count.
_TOKEN: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def read_any_depth(read: Callable[[bytes], T], data: bytes, *, level: int) -> T:
    """What ``read`` makes of a JSON text; where that is nested too deeply for it, of the text without those depths.

    Raises:
        RecursionError: it is nested too deeply outside of ``level`` as well.
    """
    try:
        return read(data)
    except RecursionError:
        return read(without_depths(data, level=level))


def without_depths(data: bytes, *, level: int) -> bytes:
    """The JSON text with each list and object at ``level`` that holds over 500 levels replaced by a text that says so.

    No field that holds lists or objects takes a text, so its owner is told, as of any other wrong type.
    """
    instead = f'"more than {_MAX_LEVELS} levels of nesting"'.encode()
    pieces: list[bytes] = []
    done = depth = deepest = start = 0
    for token in _TOKEN.finditer(data):
        bracket = token.group()
        if bracket in (b"{", b"["):
            depth += 1
            if depth == level:
                start, deepest = token.start(), depth
            deepest = max(deepest, depth)
        elif bracket in (b"}", b"]"):
            if depth == level and deepest - level >= _MAX_LEVELS:
                pieces += data[done:start], instead
                done = token.end()
            depth -= 1
    return b"".join((*pieces, data[done:]))
