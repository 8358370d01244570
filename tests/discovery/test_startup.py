"""Services of the start."""

from __future__ import annotations

import asyncio

import structlog

from discovery.engine import Database
from discovery.runtime.readiness import Readiness
from discovery.startup import STARTING, Announcement, Part, WarmUp
from discovery.translate.generators import MeshGenerators
from tests.kit.eventually import eventually


class Listening(Part):
    """A service with a port."""

    name = "grpc"
    port = 4711


async def test_ready_is_said_when_the_last_objection_is_gone() -> None:
    """Whichever it is, and however late: a cluster that was not read yet, say. Where we listen is told at once."""
    readiness = Readiness()
    readiness.block(STARTING)
    readiness.block("cluster")
    with structlog.testing.capture_logs() as logs:
        async with Announcement([Listening()], readiness) as part, asyncio.TaskGroup() as group:
            saying = group.create_task(part.run())
            await asyncio.sleep(0)
            assert readiness.reasons == ("cluster",)
            assert [(entry["event"], entry.get("port")) for entry in logs] == [("listening", 4711)]
            readiness.release("cluster")
            await eventually(lambda: "ready" in [entry["event"] for entry in logs])
            saying.cancel()


async def test_warming_up_an_empty_database_is_fine() -> None:
    """Nothing may have been read yet."""
    async with WarmUp(Database(), MeshGenerators()) as part, asyncio.TaskGroup() as group:
        task = group.create_task(part.run())
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
