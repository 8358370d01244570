"""What the types of fields ask of values beyond their kind: ranges of numbers, lengths, patterns.

They are written once, as ``Annotated[..., msgspec.Meta(...)]``, and hold for what we read and for the CRDs we generate.
"""

from __future__ import annotations

import re
import sys
from typing import Any, get_origin

import msgspec

__all__ = ["Bounds"]


class Bounds:
    """The bounds of one annotated type."""

    __slots__ = ("_meta", "_pattern", "want")

    def __init__(self, bounded: Any, meta: msgspec.Meta) -> None:
        self._meta = meta
        self._pattern = re.compile(meta.pattern) if meta.pattern is not None else None
        self.want = _described(bounded, meta)
        """What a value has to be, in words."""

    def fit(self, value: Any) -> bool:
        """Whether a value of the right type is within the bounds; of a pattern, that it is found in the text."""
        meta = self._meta
        if meta.ge is not None or meta.le is not None:
            return (meta.ge is None or value >= meta.ge) and (meta.le is None or value <= meta.le)
        least, most = meta.min_length or 0, sys.maxsize if meta.max_length is None else meta.max_length
        return least <= len(value) <= most and (self._pattern is None or self._pattern.search(value) is not None)


def _described(bounded: Any, meta: msgspec.Meta) -> str:
    if meta.ge is not None and meta.le is not None:
        return f"a number from {meta.ge} to {meta.le}"
    if meta.ge is not None or meta.le is not None:
        return f"a number of at least {meta.ge}" if meta.ge is not None else f"a number of at most {meta.le}"
    what, parts = ("a text", "characters") if bounded is str else ("a list", "entries")
    if get_origin(bounded) not in (None, tuple):
        what = "an object"
    length = [
        f"at {which} {number} {parts}"
        for which, number in (("least", meta.min_length), ("most", meta.max_length))
        if number is not None
    ]
    told = f"{what} of {' and '.join(length)}" if length else what
    return f"{told} that matches {meta.pattern}" if meta.pattern is not None else told
