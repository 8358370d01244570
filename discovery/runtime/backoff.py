"""How long to wait before trying again: exponential, capped, with jitter, as pure arithmetic."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

__all__ = ["backoff_delays"]


def backoff_delays(
    *,
    first_s: float,
    max_s: float,
    factor: float = 2.0,
    jitter: float = 0.5,
    chance: Callable[[], float] = random.random,
) -> Iterator[float]:
    """Endless delays in seconds: ``first_s``, then times ``factor`` up to ``max_s``, each spread by +-``jitter``.

    Args:
        first_s: the first delay before jitter, > 0.
        max_s: no delay is larger than this, jitter included.
        factor: growth per step, >= 1.
        jitter: part of the delay that chance may add or take, in [0, 1].
        chance: uniform numbers in [0, 1).
    """
    delay_s = first_s
    while True:
        yield min(max_s, delay_s * (1 + jitter * (2 * chance() - 1)))
        delay_s = min(max_s, delay_s * factor)
