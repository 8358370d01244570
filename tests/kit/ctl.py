"""Runs `pilotctl` in-process, against a control plane that lives in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from click.testing import CliRunner, Result

from discovery.ctl.cli import cli
from discovery.debug.server import HttpEndpoint, build_application
from tests.kit.debug_world import DebugWorld

__all__ = ["pilotctl", "serving_debug"]


def pilotctl(*args: str, text: str = "") -> Result:
    """Run a command with ``text`` as its input; `output` has standard output and errors, `stdout` the first alone."""
    return CliRunner().invoke(cli, args, input=text)


@contextmanager
def serving_debug(world: DebugWorld) -> Iterator[str]:
    """Serve a world's debug endpoints until the block ends; gives the address for `--discovery-address`."""
    bound: list[str] = []
    started = threading.Event()
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with HttpEndpoint("http", "127.0.0.1", 0, build_application(world.content)) as endpoint:
            bound.append(f"http://127.0.0.1:{endpoint.port}")
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="debug endpoints")
    thread.start()
    try:
        assert started.wait(timeout=20), "the debug endpoints do not serve"
        yield bound[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(timeout=20)
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()
