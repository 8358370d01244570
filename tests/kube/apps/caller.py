"""A client: calls `URL` and writes one JSON line per answer, or one with all counts.

Environment: `URL`; `COUNT` requests (0: until SIGTERM); `LANES` at the same time; `PAUSE_S` after each, or `RATE` per
second of all lanes, however long answers take; `EACH=1` writes every answer, else every 500th is announced. Its
status is 0 if every answer was 200.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from typing import Final

import aiohttp

_ENVIRON: Final = os.environ  # noqa: TID251 - what a container is told


class Caller:
    """Counts answers by status and by pod, and failures by their words."""

    def __init__(self) -> None:
        self.left = int(_ENVIRON.get("COUNT", "0")) or 10**9
        self.pause_s = float(_ENVIRON.get("PAUSE_S", "0"))
        self.rate = float(_ENVIRON.get("RATE", "0"))
        self.begun_at = time.monotonic()
        self.sent = 0
        self.each = _ENVIRON.get("EACH") == "1"
        self.statuses: Counter[str] = Counter()
        self.pods: Counter[str] = Counter()
        self.ended = asyncio.Event()

    async def lane(self, session: aiohttp.ClientSession) -> None:
        """One request after the other."""
        while self.left > 0 and not self.ended.is_set():
            self.left -= 1
            if self.rate:
                await asyncio.sleep(self.begun_at + self.sent / self.rate - time.monotonic())
            self.sent += 1
            said = await self.call(session)
            self.statuses[str(said["status"])] += 1
            if said.get("pod"):
                self.pods[str(said["pod"])] += 1
            if self.each or said["status"] != 200:
                say(said)
            elif self.statuses.total() % 500 == 0:
                say({"so_far": self.statuses.total()})
            await asyncio.sleep(self.pause_s)

    async def call(self, session: aiohttp.ClientSession) -> dict[str, object]:
        """One answer; status 0 where there is none."""
        try:
            async with session.get(_ENVIRON["URL"]) as answer:
                text = await answer.text()
                understood = answer.status == 200 and text.startswith("{")
                said = json.loads(text) if understood else {"words": text[:300]}
                return {**said, "status": answer.status}
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return {"status": 0, "words": repr(error)}


def say(said: dict[str, object]) -> None:
    """A line for the log."""
    print(json.dumps(said), flush=True)  # noqa: T201


async def main() -> int:
    """Call, then tell the counts."""
    caller = Caller()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, caller.ended.set)
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
        for _ in range(int(_ENVIRON.get("LANES", "1"))):
            group.create_task(caller.lane(session))
    seconds = round(time.monotonic() - caller.begun_at, 2)
    say({"total": caller.statuses.total(), "seconds": seconds, "statuses": caller.statuses, "pods": caller.pods})
    return 0 if set(caller.statuses) == {"200"} else 1


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
