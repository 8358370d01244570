"""Requests to an API server: bytes in, bytes out, every one with a deadline and within our rate; watches as lines."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import Enum
from types import MappingProxyType
from typing import Final, NoReturn

import aiohttp

from discovery.kube.config import Access, KubeConfig, load_access
from discovery.kube.errors import UnauthorizedError, UnreachableError, api_error
from discovery.kube.lines import LineError, Lines
from discovery.kube.throttle import TokenBucket
from discovery.runtime.clock import Clock, SystemClock

__all__ = ["KubeClient", "PatchKind", "connect"]

_JSON: Final = "application/json"
_NO_QUERY: Final[Mapping[str, str]] = MappingProxyType({})
_WATCH_GRACE_S: Final = 30.0  # how much longer than it was asked to a watch may last before we end it
_WATCH_DEFAULT_S: Final = 3600.0
# A connection whose other end is gone without a word is found dead after about half a minute, as by client-go's pings.
_KEEPALIVE_IDLE_S: Final = 15
_KEEPALIVE_EVERY_S: Final = 5
_KEEPALIVE_TRIES: Final = 3
_UNSENT_MS: Final = 30_000

Sleep = Callable[[float], Awaitable[None]]


class PatchKind(Enum):
    """How the body of a patch is meant.

    Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#patch-and-update
    """

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"  # JSON is YAML; the query must have fieldManager


async def connect(config: KubeConfig, *, clock: Clock | None = None, sleep: Sleep = asyncio.sleep) -> KubeClient:
    """A client of the API server that the configuration names. Makes no request yet.

    Raises:
        AccessError: the configuration cannot be used.
    """
    clock = clock or SystemClock()
    return KubeClient(await load_access(config, clock), config, clock=clock, sleep=sleep)


class KubeClient:
    """Talks to one API server. Close it at the end.

    Every method raises an ``ApiError`` for an answer that is no success, ``UnreachableError`` where there is none, and
    ``AccessError`` where credentials cannot be read. Nothing is tried twice, but for new credentials after a 401.
    """

    def __init__(self, access: Access, config: KubeConfig, *, clock: Clock, sleep: Sleep = asyncio.sleep) -> None:
        self._access = access
        self._timeout_s = config.timeout_s
        self._agent = config.user_agent
        self._clock = clock
        self._sleep = sleep
        self._bucket = TokenBucket(per_s=config.qps, burst=config.burst, now=clock.monotonic())
        self._session: aiohttp.ClientSession | None = None

    @property
    def server(self) -> str:
        """The API server's URL."""
        return self._access.server

    async def close(self) -> None:
        """Close all connections; open watches end with an error."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def get(self, path: str, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """An object, or a list."""
        return await self._request("GET", path, query)

    async def create(self, path: str, body: bytes) -> bytes:
        """POST an object to its collection; the object as it was stored."""
        return await self._request("POST", path, body=body)

    async def replace(self, path: str, body: bytes) -> bytes:
        """PUT a whole object; with a resourceVersion in it only if nobody wrote it since."""
        return await self._request("PUT", path, body=body)

    async def patch(self, path: str, body: bytes, kind: PatchKind, query: Mapping[str, str] = _NO_QUERY) -> bytes:
        """Change parts of an object; the object as it is then."""
        return await self._request("PATCH", path, query, body=body, content_type=kind.value)

    async def delete(self, path: str, body: bytes = b"") -> bytes:
        """Delete an object; ``body`` may be DeleteOptions."""
        return await self._request("DELETE", path, body=body)

    def watch(self, path: str, query: Mapping[str, str]) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """Open a watch of a collection; one JSON text per event.

        ``watch=1`` is added. Opening has the usual deadline; the stream ends at the latest half a minute after the
        ``timeoutSeconds`` of the query. The iterator ends where the API server ends the stream between two events.

        Raises:
            UnreachableError: while iterating: the stream broke off, perhaps within an event.
        """
        return self._watch(path, {**query, "watch": "1"})

    @asynccontextmanager
    async def _watch(self, path: str, query: Mapping[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        asked = f"WATCH {path}"
        last_s = float(query.get("timeoutSeconds", _WATCH_DEFAULT_S)) + _WATCH_GRACE_S
        response = await self._send("GET", path, query, total_s=None, asked=asked)
        try:
            yield self._lines(response, asked, last_s)
        finally:
            response.close()  # not back to the pool: what comes on it is of no use any more

    async def _lines(self, response: aiohttp.ClientResponse, asked: str, last_s: float) -> AsyncIterator[bytes]:
        lines = Lines()
        try:
            async with asyncio.timeout(last_s):
                async for piece in response.content.iter_any():
                    for line in lines.feed(piece):
                        yield line
            lines.finish()
        except (aiohttp.ClientError, OSError, TimeoutError, LineError) as error:
            _unreachable(asked, error)

    async def _request(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] = _NO_QUERY,
        *,
        body: bytes = b"",
        content_type: str = _JSON,
    ) -> bytes:
        asked = f"{method} {path}"
        response = await self._send(
            method, path, query, body=body, content_type=content_type, total_s=self._timeout_s, asked=asked
        )
        try:
            async with response:
                return await response.read()
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            _unreachable(asked, error)

    async def _send(  # noqa: PLR0913 - one request in all its parts; private
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        *,
        asked: str,
        total_s: float | None,
        body: bytes = b"",
        content_type: str = _JSON,
    ) -> aiohttp.ClientResponse:
        """Send, once more with new credentials after a 401; the head of the answer has arrived and is a success."""
        wait_s = self._bucket.take(self._clock.monotonic())
        if wait_s > 0:
            await self._sleep(wait_s)
        timeout = aiohttp.ClientTimeout(total=total_s)
        for renew in (False, True):
            headers = {"Accept": _JSON, "User-Agent": self._agent}
            if body:
                headers["Content-Type"] = content_type
            authorization = await self._access.credentials.authorization(renew=renew)
            if authorization:
                headers["Authorization"] = authorization
            try:
                async with asyncio.timeout(self._timeout_s):  # until the head; a total deadline runs on by itself
                    response = await self._opened().request(
                        method,
                        f"{self._access.server}{path}",
                        params=dict(query),
                        data=body or None,
                        headers=headers,
                        timeout=timeout,
                        allow_redirects=False,
                        proxy=self._access.proxy or None,
                        server_hostname=self._access.tls_server_name or None,
                    )
                    if response.status < 300:
                        return response
                    async with response:
                        told = await response.read()
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                _unreachable(asked, error)
            failure = api_error(asked, response.status, told, response.headers.get("Retry-After", ""))
            if not isinstance(failure, UnauthorizedError) or renew:
                raise failure
        raise AssertionError("unreachable")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,  # one connection per watch, and our rate bounds the rest
                ssl=self._access.tls if self._access.tls is not None else True,
                socket_factory=_socket,
            )
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=True)
        return self._session


def _socket(address: aiohttp.AddrInfoType) -> socket.socket:
    """A socket that notices when nobody is there any more."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (
        ("TCP_KEEPIDLE", _KEEPALIVE_IDLE_S),
        ("TCP_KEEPINTVL", _KEEPALIVE_EVERY_S),
        ("TCP_KEEPCNT", _KEEPALIVE_TRIES),
        ("TCP_USER_TIMEOUT", _UNSENT_MS),
    ):
        if hasattr(socket, option):  # Linux has them all
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    return made


def _unreachable(asked: str, error: Exception) -> NoReturn:
    what = "no answer in time" if isinstance(error, TimeoutError) else str(error) or type(error).__name__
    raise UnreachableError(f"{asked}: {what}") from error
