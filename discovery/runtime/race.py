"""The first of several outcomes: tasks that end together because one of them did."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import TypeVar

__all__ = ["first_of"]

T = TypeVar("T")


async def first_of(*parts: Coroutine[None, None, T]) -> T:
    """Run all until one returns, cancel the others; of several that return at once the first named counts.

    Raises:
        ExceptionGroup: a part failed; the others were cancelled.

    Cancellation: all parts are cancelled and waited for.
    """
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(part) for part in parts]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
    return next(task.result() for task in tasks if task in done)
