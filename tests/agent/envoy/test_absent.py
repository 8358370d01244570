"""An agent without Envoy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from agent.envoy.absent import EnvoyLife, NoEnvoy
from agent.envoy.ending import Reason
from discovery.runtime.supervise import run_all


@pytest.mark.parametrize("end", [lambda envoy: envoy.request_end(Reason.SIGNAL), lambda envoy: envoy.kill()])
async def test_lasts_until_asked(end: Callable[[EnvoyLife], None]) -> None:
    """A drain does nothing; the end comes at once."""
    over = asyncio.Event()
    envoy: EnvoyLife = NoEnvoy(over=over)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_all([envoy], until=over))
        await envoy.drain()
        assert not over.is_set()
        end(envoy)
        assert over.is_set()
        await running
