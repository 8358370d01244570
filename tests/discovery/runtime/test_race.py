"""Tasks that end together."""

from __future__ import annotations

import asyncio

import pytest

from discovery.runtime.race import first_of


async def test_first_outcome_cancels_the_rest() -> None:
    """The first to return wins; the others have been cancelled and waited for."""
    ended = []

    async def quick() -> str:
        return "quick"

    async def slow() -> str:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("slow")
        return "slow"

    assert await first_of(slow(), quick()) == "quick"
    assert ended == ["slow"]


async def test_tie_goes_to_the_first_named() -> None:
    """Of several that are done at once, the order of the arguments decides."""

    async def say(word: str) -> str:
        return word

    assert await first_of(say("a"), say("b")) == "a"


async def test_failure_is_raised() -> None:
    """A part that fails takes the others with it."""

    async def fail() -> str:
        raise ValueError("boom")

    async def slow() -> str:
        await asyncio.Event().wait()
        return ""

    with pytest.raises(ExceptionGroup) as failed:
        await first_of(slow(), fail())
    assert failed.group_contains(ValueError, match="boom")
