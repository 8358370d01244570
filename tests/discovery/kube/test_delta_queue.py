"""Changes of one turn of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from discovery.kube.delta_queue import DeltaQueue


async def test_changes_of_one_turn_are_handed_on_once() -> None:
    """Each key with its newest value, in the order of the newest."""
    drained: list[Mapping[str, int]] = []
    queue: DeltaQueue[str, int] = DeltaQueue(drained.append)
    queue.put("a", 1)
    queue.put("b", 1)
    queue.put("a", 2)
    assert (len(queue), drained) == (2, [])
    await asyncio.sleep(0)
    assert [list(batch.items()) for batch in drained] == [[("b", 1), ("a", 2)]]
    queue.put("a", 3)
    await asyncio.sleep(0)
    assert drained[1] == {"a": 3}


async def test_flushing_hands_on_now_and_not_again() -> None:
    """An order that must be kept can be forced."""
    drained: list[Mapping[str, int]] = []
    queue: DeltaQueue[str, int] = DeltaQueue(drained.append)
    queue.put("a", 1)
    queue.flush()
    queue.flush()
    assert drained == [{"a": 1}]
    await asyncio.sleep(0)
    assert drained == [{"a": 1}]
