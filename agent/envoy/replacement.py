"""Bringing up the Envoy that takes the place of the running one: checks first, then both, until the new one serves."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from agent.envoy.admin import AdminError, EnvoyAdmin
from agent.envoy.hot_restart import HotRestart, judge_versions
from discovery.runtime.logs import get_logger
from discovery.runtime.process import Process, SpawnError
from discovery.runtime.race import first_of

__all__ = ["Replacement", "run_briefly"]

_LOG: Final = get_logger("envoy")
_CHECK_S: Final = 20.0
_SERVES_WITHIN_S: Final = 60.0
_POLL_S: Final = 0.1
_TAIL: Final = 500


async def run_briefly(argv: Sequence[str]) -> tuple[bool, str]:
    """Whether a program ended with success, and what it said."""
    try:
        process = await asyncio.create_subprocess_exec(*argv, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    except OSError as error:
        return False, f"{argv[0]}: {error.strerror or error}"
    try:
        async with asyncio.timeout(_CHECK_S):
            said, _ = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        return False, f"{argv[0]} does not answer within {_CHECK_S:g} s"
    return process.returncode == 0, said.decode("utf-8", "replace").strip()


class Replacement:
    """Puts one Envoy in the place of another.

    Args:
        options: what both share.
        argv: Envoy's command line as it would be without any of this; the binary is the one that is there now.
        admin: of whichever Envoy has the port.
    """

    def __init__(self, options: HotRestart, argv: Sequence[str], admin: EnvoyAdmin) -> None:
        self._options = options
        self._argv = tuple(argv)
        self._admin = admin
        self._on_epoch: Callable[[int], None] = lambda _epoch: None
        self._version = ""

    def tell_epochs(self, listener: Callable[[int], None]) -> None:
        """Tell from now on which Envoy is to be served configuration; with it all that come after."""
        self._on_epoch = listener

    def remove_traces(self) -> None:
        """Remove what the Envoys shared; none of them may be alive."""
        self._options.remove_traces()

    async def remember(self) -> None:
        """Note by which protocol the Envoy hands over that was started just now; later the binary may be another."""
        known, said = await run_briefly((self._argv[0], "--hot-restart-version"))
        self._version = said if known else ""

    def start_over(self) -> None:
        """The next one has nobody before it."""
        self._on_epoch(0)

    async def objection(self) -> str:
        """Why the binary that is there now cannot take over; empty if nothing speaks against it."""
        known, version = await run_briefly((self._argv[0], "--hot-restart-version"))
        if not known:
            return f"the new binary does not run: {version[-_TAIL:]}"
        if reason := judge_versions(self._version, version):
            return reason
        accepted, said = await run_briefly((*self._argv, "--mode", "validate"))
        return "" if accepted else f"the new binary does not take the configuration: {said[-_TAIL:]}"

    async def bring_up(self, successor: Process, *, epoch: int, current: Process, asked: asyncio.Event) -> bool:
        """Start the successor; whether it serves. If not, it has been ended, and the current one goes on.

        Args:
            successor: not started yet.
            epoch: its number.
            current: if that ends meanwhile, there is nothing to be handed over any more.
            asked: set when the agent shall end.
        """
        self._on_epoch(epoch)
        try:
            await successor.start()
            outcome = await first_of(
                self._until_it_serves(epoch),
                _told(successor.wait(), "it ended before it served"),
                _told(current.wait(), "the running one ended meanwhile"),
                _told(asked.wait(), "the agent ends"),
            )
        except SpawnError as error:
            outcome = str(error)
        if not outcome:
            await self.remember()
            return True
        self._on_epoch(epoch - 1)
        successor.kill_now()
        _LOG.error("Envoy is not replaced; the running one goes on, without administration and metrics", reason=outcome)
        return False

    async def _until_it_serves(self, epoch: int) -> str:
        try:
            async with asyncio.timeout(_SERVES_WITHIN_S):
                while not await self._serves(epoch):  # noqa: ASYNC110 - it tells nobody
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            return f"it does not serve within {_SERVES_WITHIN_S:g} s"
        return ""

    async def _serves(self, epoch: int) -> bool:
        try:
            return await self._admin.live_epoch(timeout_s=1.0) == epoch
        except AdminError:
            return False  # between the one's administration interface and the other's


async def _told(event: Awaitable[object], reason: str) -> str:
    await event
    return reason
