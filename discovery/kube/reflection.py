"""What a reflector asks the API server next, and after how long: the decisions, without I/O.

First all objects, then the changes since: as one stream where the API server has that (``sendInitialEvents``), else as
pages of a list and a watch from its resourceVersion. A watch that ends is resumed where it was; only when the API
server has forgotten that resourceVersion is everything asked for again. States and what leaves them:

    STREAM  -- end of the initial events -->  WATCH        STREAM  -- not served -->  LIST
    LIST    -- last page -->                  WATCH        LIST    -- page token too old -->  LIST, in the end unpaged
    WATCH   -- ended, cut, refused -->        WATCH        WATCH   -- resourceVersion too old -->  STREAM or LIST

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#streaming-lists
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from typing import Final, NamedTuple

from discovery.kube.errors import ApiError, GoneError, InvalidError, KubeError
from discovery.runtime.backoff import backoff_delays

__all__ = ["Ask", "Mode", "Reflection"]

_PAGE: Final = 500
_WATCH_S: Final = 300.0  # a watch lasts so long, up to twice, so that those of many clients do not end together
_FIRST_S: Final = 0.1
_MAX_S: Final = 30.0
_SHORT_S: Final = 1.0  # a watch that ends sooner without an event is as good as refused
_TOO_LARGE: Final = "Too large resource version"  # what we have seen is the future of a restored API server


class Mode(Enum):
    """The kinds of requests."""

    LIST = "list"
    STREAM = "stream"
    WATCH = "watch"


class Ask(NamedTuple):
    """A request to make."""

    mode: Mode
    query: Mapping[str, str]
    starts: bool  # the first request of a new look at everything


class Reflection:
    """The state of one reflector.

    Args:
        page: objects per page of a list.
        streams: whether to try ``sendInitialEvents``.
        chance: uniform numbers in [0, 1).
    """

    def __init__(self, *, page: int = _PAGE, streams: bool = True, chance: Callable[[], float] = random.random) -> None:
        self._page = page
        self._streams = streams
        self._paged = True
        self._chance = chance
        self._version: str | None = None  # up to which everything is known; None: not everything is
        self._token = ""
        self._mode = Mode.LIST
        self._delays = self._fresh_delays()
        self._forgotten = False  # the last look at everything ended in a watch that was too old at once

    @property
    def version(self) -> str:
        """The resourceVersion up to which everything is known; empty when not everything is."""
        return self._version or ""

    def next(self) -> Ask:
        """The request to make now."""
        if self._version is not None:
            self._mode = Mode.WATCH
            return Ask(Mode.WATCH, {**self._watching(), "resourceVersion": self._version}, starts=False)
        if self._streams:
            self._mode = Mode.STREAM
            initial = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
            return Ask(Mode.STREAM, {**self._watching(), **initial}, starts=True)
        self._mode = Mode.LIST
        query = {"limit": str(self._page)} if self._paged else {}
        if self._token:
            query["continue"] = self._token
        return Ask(Mode.LIST, query, starts=not self._token)

    def listed(self, version: str, token: str) -> bool:
        """A page has come; whether it was the last."""
        if not self._forgotten:
            self._delays = self._fresh_delays()
        self._token = token
        if token:
            return False
        self._version = version
        self._paged = True
        return True

    def forget(self) -> None:
        """Nothing is known: the next request looks at everything."""
        self._version, self._token = None, ""

    def seen(self, version: str) -> None:
        """An event has come."""
        self._delays = self._fresh_delays()
        if self._version is not None and version:
            self._version = version
            self._forgotten = False

    def streamed(self, version: str) -> None:
        """The initial events are complete."""
        self._version = version

    def ended(self, *, lasted_s: float, events: int) -> float:
        """A watch ended as watches do; seconds until the next request."""
        if self._mode is Mode.STREAM and self._version is None:
            self._streams = False  # it is a watch for this API server, without the bookmark that we wait for
            return 0.0
        return 0.0 if events or lasted_s >= _SHORT_S else next(self._delays)

    def failed(self, error: KubeError) -> float:
        """A request failed; seconds until the next one."""
        if isinstance(error, InvalidError) and self._mode is Mode.STREAM:
            self._streams = False
            return 0.0
        if isinstance(error, GoneError):
            if self._token:  # the list took longer than its snapshot is kept: now in one piece
                self._paged, self._token = False, ""
            self._version = None
            at_once = self._mode is Mode.WATCH and not self._forgotten
            self._forgotten = True
            return 0.0 if at_once else next(self._delays)
        if isinstance(error, ApiError) and _TOO_LARGE in error.message:
            self._version = None
        asked_s = error.retry_after_s if isinstance(error, ApiError) else 0.0
        return max(next(self._delays), asked_s)

    def _watching(self) -> dict[str, str]:
        seconds = int(_WATCH_S * (1 + self._chance()))
        return {"allowWatchBookmarks": "true", "timeoutSeconds": str(seconds)}

    def _fresh_delays(self) -> Iterator[float]:
        return backoff_delays(first_s=_FIRST_S, max_s=_MAX_S, chance=self._chance)
