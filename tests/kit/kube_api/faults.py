"""What can be made to go wrong, from outside of the program under test."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.kit.kube_api.call import Call
from tests.kit.kube_api.errors import StatusError, expired, internal, invalid
from tests.kit.kube_api.state import State
from tests.kit.kube_api.watching import End, Watch

__all__ = ["Faults"]


class Faults:
    """The switches. Each takes effect at once; the ones that count are used up by the next requests.

    A `plural` limits a fault to one resource; empty means all. The administrator's own calls through the handle count
    as well, so name the resource.
    """

    def __init__(
        self, state: State, restart: Callable[[], Awaitable[None]], stop: Callable[[], Awaitable[None]]
    ) -> None:
        self._state = state
        self._restart = restart
        self._stop = stop
        self._refusals: list[tuple[str, frozenset[str], StatusError]] = []
        self.latency_s = 0.0
        self.watch_list_refused = False

    def cut_watches(self, plural: str = "", *, mid_object: bool = False) -> int:
        """Break the connections of open watches without a word, if wanted in the middle of an object; how many."""
        how = End.MID_OBJECT if mid_object else End.ABORT
        return self._end(plural, lambda watch: watch.end(how))

    def end_watches(self, plural: str = "") -> int:
        """End open watches in an orderly way, as a timeout does; how many."""
        return self._end(plural, lambda watch: watch.end(End.CLEAN))

    def gone_watches(self, plural: str = "") -> int:
        """Tell open watches 410 in an error event, and end them; how many."""
        version = self._state.store.version
        return self._end(plural, lambda watch: watch.fail(expired(f"too old resource version: {version}")))

    def gone_on_next_watch(self, plural: str = "", times: int = 1) -> None:
        """Answer the next requests to watch with 410."""
        self._refuse(plural, {"watch"}, expired("too old resource version"), times)

    def throttle(self, times: int = 1, plural: str = "", retry_after_s: int = 1) -> None:
        """Answer the next requests with 429 and `Retry-After`."""
        text = "the server has received too many requests and has asked us to try again later"
        self._refuse(plural, set(), StatusError(429, "TooManyRequests", text, retry_after_s=retry_after_s), times)

    def fail(self, times: int = 1, plural: str = "", *verbs: str) -> None:
        """Answer the next requests with 500; verbs limit which, such as "list", "watch", "update"."""
        self._refuse(plural, set(verbs), internal("injected by the test"), times)

    def refuse(self, error: StatusError, times: int = 1, plural: str = "", *verbs: str) -> None:
        """Answer the next requests with an error of your own."""
        self._refuse(plural, set(verbs), error, times)

    def compact(self) -> None:
        """Forget all history: resuming a watch, or a paged list, from before now gets 410."""
        self._state.store.compact()

    def bookmark(self) -> None:
        """Send a bookmark to all watches that allow them."""
        self._state.watches.bookmark()

    def jump_clock(self, seconds: float) -> None:
        """Set the server's wall clock forward, or back."""
        self._state.clock.jump(seconds)

    async def stop(self) -> None:
        """Close the port and cut all connections; the state stays."""
        await self._stop()

    async def restart(self) -> None:
        """Stop if it runs, and start again on the same port with the same state."""
        await self._restart()

    def clear(self) -> None:
        """Let everything work again, except that a stopped server stays stopped and the clock stays where it is."""
        self._refusals.clear()
        self.latency_s = 0.0
        self.watch_list_refused = False

    async def before(self, call: Call) -> None:
        """Delay or refuse a request.

        Raises:
            StatusError: it is refused.
        """
        route = call.route
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        if self.watch_list_refused and "sendInitialEvents" in call.query:
            why = "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled"
            raise invalid("ListOptions", "meta.k8s.io", "", [("sendInitialEvents", "FieldValueForbidden", why)])
        for refusal in self._refusals:
            plural, verbs, error = refusal
            if plural in ("", route.plural) and (not verbs or route.verb in verbs):
                self._refusals.remove(refusal)
                raise error

    def _refuse(self, plural: str, verbs: set[str], error: StatusError, times: int) -> None:
        self._refusals += [(plural, frozenset(verbs), error)] * times

    def _end(self, plural: str, end: Callable[[Watch], None]) -> int:
        watches = [watch for watch in self._state.watches if plural in ("", watch.kind.plural)]
        for watch in watches:
            end(watch)
        return len(watches)
