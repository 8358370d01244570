"""Waiting for what nobody announces: another process's state, a counter inside a server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

__all__ = ["eventually"]

_PAUSE_S = 0.005


async def eventually(condition: Callable[[], bool] | Callable[[], Awaitable[bool]], *, within_s: float = 10) -> None:
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it does not within the time.
    """
    async with asyncio.timeout(within_s):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(_PAUSE_S)
