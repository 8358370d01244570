"""Time and chance for whatever waits: arguments that travel together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec

from discovery.runtime.clock import Clock, SystemClock

__all__ = ["Timing"]


class Timing(msgspec.Struct, frozen=True):
    """How a part of the program sees time pass.

    Attributes:
        clock: for instants.
        sleep: waits, in seconds.
        chance: uniform numbers in [0, 1), for jitter.
    """

    clock: Clock = SystemClock()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random
