"""Calls to the API server as one of its users: single ones, and a followed list."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlencode

import aiohttp
import msgspec
from yarl import URL

from tests.kube.kubelet.environment import Json

__all__ = ["Api", "ApiError", "Change"]

_RETRY_S: Final = 0.2
_CALL_S: Final = 15.0
STRATEGIC: Final = "application/strategic-merge-patch+json"
JSON: Final = "application/json"


class ApiError(RuntimeError):
    """The server refused; ``status`` is the HTTP status, 0 when there was none."""

    def __init__(self, call: str, status: int, words: str) -> None:
        super().__init__(f"{call}: {status} {words[:500]}")
        self.status = status


class Change(msgspec.Struct, frozen=True):
    """An object that is there now, or is gone."""

    item: Json
    gone: bool = False


class Api:
    """One user's calls. Open it with `async with`."""

    def __init__(self, url: str, ca_pem: bytes, token: str) -> None:
        self._url = url
        self._tls = ssl.create_default_context(cadata=ca_pem.decode())
        self._headers = {"Authorization": f"Bearer {token}"}
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        connector = aiohttp.TCPConnector(ssl=self._tls, limit=0)
        timeout = aiohttp.ClientTimeout(sock_connect=_CALL_S)
        self._session = aiohttp.ClientSession(self._url, connector=connector, headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open one."""
        assert self._session is not None, "open it first"
        return self._session

    async def call(self, method: str, path: str, body: Json | None = None, *, content_type: str = JSON) -> Json:
        """One request and its answer.

        Raises:
            ApiError: the status is not one of success, or there is no answer.
        """
        data = None if body is None else msgspec.json.encode(body)
        headers = {"Content-Type": content_type} if data is not None else {}
        try:
            async with (
                asyncio.timeout(_CALL_S),
                self.session.request(method, URL(path, encoded=True), data=data, headers=headers) as answer,
            ):
                text = await answer.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise ApiError(f"{method} {path}", 0, repr(error)) from error
        if not 200 <= answer.status < 300:
            raise ApiError(f"{method} {path}", answer.status, text.decode(errors="replace"))
        return msgspec.json.decode(text, type=Json)

    async def follow(self, path: str, selector: Mapping[str, str]) -> AsyncIterator[list[Change]]:
        """What there is, then each change, for ever; after a break everything anew with what has gone meanwhile."""
        known: dict[str, Json] = {}
        while True:
            try:
                listing = await self._list(path, selector)
                present = {item["metadata"]["uid"]: item for item in listing["items"]}
                gone = [Change(item, gone=True) for uid, item in known.items() if uid not in present]
                known = present
                yield [*gone, *map(Change, present.values())]
                async for change in self._watch(path, selector, listing["metadata"]["resourceVersion"]):
                    uid = change.item["metadata"]["uid"]
                    known.pop(uid, None)
                    if not change.gone:
                        known[uid] = change.item
                    yield [change]
            except (ApiError, aiohttp.ClientError, TimeoutError):
                pass  # a server that restarts is an ordinary thing; the list tells what was missed
            await asyncio.sleep(_RETRY_S)

    async def _list(self, path: str, selector: Mapping[str, str]) -> Json:
        return await self.call("GET", f"{path}?{urlencode(selector)}")

    async def _watch(self, path: str, selector: Mapping[str, str], version: str) -> AsyncIterator[Change]:
        query = {**selector, "watch": "1", "resourceVersion": version, "timeoutSeconds": "600"}
        async with self.session.get(path, params=query) as stream:
            rest = b""
            async for chunk in stream.content.iter_any():
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    event = msgspec.json.decode(line, type=Json)
                    if event["type"] == "ERROR":
                        return  # too old: list again
                    yield Change(event["object"], gone=event["type"] == "DELETED")
