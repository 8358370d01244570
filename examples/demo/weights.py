"""The weights in a VirtualService's text: read and changed in place, as a user with an editor would. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

__all__ = ["read_weights", "with_weights"]

_WEIGHTED: Final = re.compile(r"(subset: (\S+)\n\s+weight: )(\d+)")


def read_weights(text: str) -> dict[str, int]:
    """Weight of each weighted subset, in order."""
    return {match[2]: int(match[3]) for match in _WEIGHTED.finditer(text)}


def with_weights(text: str, weights: Mapping[str, int]) -> str:
    """The text with other weights; all else, comments too, stays.

    Raises:
        ValueError: a subset is not in it, or not with a weight.
    """
    missing = weights.keys() - read_weights(text).keys()
    if missing:
        raise ValueError(f"no weighted subset {', '.join(sorted(missing))} in the text")
    return _WEIGHTED.sub(lambda match: f"{match[1]}{weights.get(match[2], int(match[3]))}", text)
