"""Services of the start."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from discovery.engine import Database
from discovery.runtime.readiness import Readiness
from discovery.startup import STARTING, Announcement, Part, WarmUp
from discovery.translate.generators import MeshGenerators


class Listening(Part):
    """A service with a port."""

    name = "grpc"
    port = 4711


@pytest.mark.parametrize("waiting", [True, False])
async def test_the_announcement_is_ready_only_if_nothing_else_stands_against_it(*, waiting: bool) -> None:
    """A cluster that was not read yet does; where we listen is told in any case."""
    readiness = Readiness()
    readiness.block(STARTING)
    if waiting:
        readiness.block("cluster")
    with structlog.testing.capture_logs() as logs:
        async with Announcement([Listening()], readiness):
            pass
    assert readiness.reasons == (("cluster",) if waiting else ())
    assert ("ready" in [entry["event"] for entry in logs]) is not waiting
    assert [entry["port"] for entry in logs if entry["event"] == "listening"] == [4711]


async def test_warming_up_an_empty_database_is_fine() -> None:
    """Nothing may have been read yet."""
    async with WarmUp(Database(), MeshGenerators()) as part, asyncio.TaskGroup() as group:
        task = group.create_task(part.run())
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
