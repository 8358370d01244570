"""How soon the control plane may be asked again: keeps a fleet from knocking it over when it comes back.

Envoy alone retries (the agent ends its stream and Envoy opens a new one with the versions it holds), but Envoy's first
retry comes within half a second, and a hundred agents per node of a fleet do the same. The gate spreads the attempts:
after each failure the next connection waits for an instant drawn with jitter from a growing window. The window is
measured from the failure, so Envoy's own waiting counts towards it and the two never add up.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Final

from discovery.runtime.backoff import backoff_delays

__all__ = ["FIRST_DELAY_S", "MAX_DELAY_S", "ReconnectGate"]

FIRST_DELAY_S: Final = 0.2
# Small enough that an outage is over for everybody soon after it is over for the control plane.
MAX_DELAY_S: Final = 5.0


class ReconnectGate:
    """When the next upstream connection may be made. Instants are monotonic seconds."""

    def __init__(
        self,
        *,
        first_s: float = FIRST_DELAY_S,
        max_s: float = MAX_DELAY_S,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._first_s = first_s
        self._max_s = max_s
        self._chance = chance
        self._delays = self._fresh()
        self._open_at = 0.0

    def _fresh(self) -> Iterator[float]:
        # jitter 1.0: uniform in [0, 2 x delay), which spreads a fleet better than a narrow band does
        return backoff_delays(first_s=self._first_s, max_s=self._max_s, jitter=1.0, chance=self._chance)

    def delay_s(self, now: float) -> float:
        """Seconds to wait from ``now`` before connecting; 0 when the gate is open."""
        return max(0.0, self._open_at - now)

    def on_end(self, now: float, *, answered: bool) -> None:
        """Note the end of an upstream stream that was not of our making.

        Args:
            now: when it ended.
            answered: the control plane had sent something: it works, so the window starts again at its smallest.
        """
        if answered:
            self._delays = self._fresh()
        self._open_at = now + next(self._delays)
