"""A server that says who it is and what it was asked, as JSON.

`/healthz` is 503 while the file `/state/unready` is there. On SIGTERM it takes no more connections, answers what was
asked on those that it has, and ends when that is done, after `DRAIN_S` seconds at the latest.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path
from typing import Final

from aiohttp import web

_UNREADY: Final = Path("/state/unready")


async def _echo(request: web.Request) -> web.Response:
    body = await request.read()
    said = {
        "pod": os.environ.get("HOSTNAME", ""),  # noqa: TID251 - what a container is told
        "version": os.environ.get("VERSION", ""),  # noqa: TID251
        "path": request.path_qs,
        "headers": {name.lower(): value for name, value in request.headers.items()},
        "peer": request.remote,
        "body": len(body),
    }
    return web.Response(text=json.dumps(said), content_type="application/json")


async def _health(_: web.Request) -> web.Response:
    return web.Response(status=503 if _UNREADY.exists() else 200)


async def main() -> None:
    """Serve on `PORT` until SIGTERM."""
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    application = web.Application()
    application.add_routes([web.get("/healthz", _health), web.route("*", "/{path:.*}", _echo)])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=float(os.environ.get("DRAIN_S", "5")))  # noqa: TID251
    await runner.setup()
    await web.TCPSite(runner, "0.0.0.0", int(os.environ.get("PORT", "8080"))).start()  # noqa: TID251
    print("serving", flush=True)  # noqa: T201 - its log
    await ended.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(main())
