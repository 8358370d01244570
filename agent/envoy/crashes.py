"""What follows an Envoy that ended by itself: another one after a growing delay, or the end of the agent. Pure.

By default it is the platform that restarts: kubelet and systemd have delays of their own, count restarts where people
look for them, and start from a clean state. Where nobody does (a machine without a service manager), or where the
seconds that it takes are too many, the agent may do it a number of times itself.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import Final

from discovery.runtime.process_lifecycle import Exit

__all__ = ["Crashes", "GiveUp", "StartAgain", "explain_exit"]

_FIRST_DELAY_S: Final = 0.5
_MAX_DELAY_S: Final = 30.0
# Who has lived so long has not crashed because of how it was started.
_CALM_S: Final = 60.0
_EARLY_S: Final = 10.0
_CRASHES: Final = frozenset(
    {signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP}
)


@dataclass(frozen=True, slots=True)
class StartAgain:
    """Start another one after so long; ``number`` counts from 1 since the last that lived long."""

    delay_s: float
    number: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the agent; ``restarts`` of this row were in vain."""

    restarts: int


class Crashes:
    """Counts ends in a row. ``max_restarts`` 0: the first one is the last."""

    def __init__(self, *, max_restarts: int) -> None:
        self._max_restarts = max_restarts
        self._restarts = 0

    def on_exit(self, *, lived_s: float) -> StartAgain | GiveUp:
        """Decide after an end that nobody asked for."""
        if lived_s >= _CALM_S:
            self._restarts = 0
        if self._restarts >= self._max_restarts:
            return GiveUp(self._restarts)
        delay_s = min(_MAX_DELAY_S, _FIRST_DELAY_S * 2.0**self._restarts)
        self._restarts += 1
        return StartAgain(delay_s, self._restarts)


def explain_exit(ended: Exit, *, lived_s: float) -> str:
    """What somebody should look at first; empty when the end speaks for itself."""
    if ended.clean:
        return ""
    if ended.signal in _CRASHES:
        return "Envoy crashed: its stack trace is in the lines above; try another release of Envoy"
    if ended.signal is None and lived_s < _EARLY_S:
        return (
            "it does not take its configuration, or cannot bind a port (proxyAdminPort, ENVOY_STATUS_PORT, "
            "ENVOY_PROMETHEUS_PORT): its own lines above say which"
        )
    return ""
