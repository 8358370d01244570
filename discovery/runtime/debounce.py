"""When to act on a stream of changes: the first after a quiet time at once, a burst as few times as possible.

A burst is over when nothing has changed for a moment; one that never ends is cut at a maximum age, so that a change is
never held back for longer than that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from discovery.runtime.clock import Clock

__all__ = ["Debounce", "DebouncedCall"]


class Debounce:
    """The decision, on instants passed in (monotonic seconds).

    Args:
        quiet_s: a burst is over when nothing changed for this long.
        max_s: no change waits for longer than this.
    """

    def __init__(self, *, quiet_s: float = 0.1, max_s: float = 10.0) -> None:
        self._quiet_s = quiet_s
        self._max_s = max_s
        self._last_change_at: float | None = None
        self._waiting_since: float | None = None
        self.merged = 0  # changes that wait

    @property
    def due_at(self) -> float | None:
        """When to act; None: nothing waits."""
        if self._waiting_since is None or self._last_change_at is None:
            return None
        return min(self._last_change_at + self._quiet_s, self._waiting_since + self._max_s)

    @property
    def waiting_since(self) -> float | None:
        """When the oldest change that waits came."""
        return self._waiting_since

    def change(self, now: float) -> bool:
        """Something changed. True: act now; False: act at ``due_at``."""
        quiet = self._last_change_at is None or now - self._last_change_at >= self._quiet_s
        self._last_change_at = now
        if self._waiting_since is None and quiet:
            return True
        if self._waiting_since is None:
            self._waiting_since = now
        self.merged += 1
        return False

    def acted(self) -> None:
        """All changes so far have been acted on."""
        self._waiting_since = None
        self.merged = 0


class DebouncedCall:
    """Calls a function when changes are due, from the running event loop.

    The function runs outside the caller's turn, so that a writer does not wait for what follows from its change.
    """

    def __init__(self, call: Callable[[], None], clock: Clock, *, quiet_s: float = 0.1, max_s: float = 10.0) -> None:
        self._call = call
        self._clock = clock
        self._debounce = Debounce(quiet_s=quiet_s, max_s=max_s)
        self._timer: asyncio.Handle | None = None
        self._at_once = False

    @property
    def waiting_since(self) -> float | None:
        """When the oldest change that waits came."""
        return self._debounce.waiting_since

    def change(self) -> None:
        """Something changed."""
        if self._debounce.change(self._clock.monotonic()) and not self._at_once:
            self._at_once = True
            self._arm(0.0)
        elif self._timer is None:
            self._arm_for_due()

    def close(self) -> None:
        """Call no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self, delay_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_soon(self._fire) if delay_s <= 0 else loop.call_later(delay_s, self._fire)

    def _arm_for_due(self) -> None:
        due_at = self._debounce.due_at
        if due_at is not None:
            self._arm(due_at - self._clock.monotonic())

    def _fire(self) -> None:
        self._timer = None
        due_at = self._debounce.due_at
        # The timer is not moved with every change of a burst; it looks again when it rings.
        if not self._at_once and due_at is not None and self._clock.monotonic() < due_at:
            self._arm_for_due()
            return
        self._at_once = False
        self._debounce.acted()
        self._call()
