"""Ready when nobody objects; otherwise it says who does."""

from __future__ import annotations

import asyncio

import pytest

from discovery.runtime.readiness import Readiness


async def test_blockers_have_names() -> None:
    """Sorted, and each as often as it was set."""
    readiness = Readiness()
    readiness.block("xds")
    readiness.block("xds")
    with readiness.blocked_by("config"):
        assert readiness.reasons == ("config", "xds")
    readiness.release("xds")
    assert not readiness.ready
    readiness.release("xds")
    assert readiness.ready


async def test_waiting_ends_with_the_last_blocker() -> None:
    """Not before."""
    readiness = Readiness()
    readiness.block("a")
    readiness.block("b")
    waiting = asyncio.ensure_future(readiness.wait())
    readiness.release("a")
    await asyncio.sleep(0)
    assert not waiting.done()
    readiness.release("b")
    await waiting


async def test_releasing_what_does_not_block_is_an_error() -> None:
    """Otherwise a mistake would make the program ready too early."""
    with pytest.raises(KeyError, match="nothing blocks as 'x'"):
        Readiness().release("x")


async def test_a_blocker_is_released_when_its_block_fails() -> None:
    """An error inside does not block for ever."""
    readiness = Readiness()
    with pytest.raises(ValueError, match="boom"), readiness.blocked_by("x"):
        raise ValueError("boom")
    assert readiness.ready
