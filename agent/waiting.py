"""``pilot-agent wait``: holds the application's start until Envoy is ready."""

from __future__ import annotations

import asyncio
import re
from typing import Final

from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch

__all__ = ["NotReadyError", "parse_url", "wait_until_ready"]

_URL: Final = re.compile(r"http://(?:\[([0-9a-fA-F:.]+)\]|([A-Za-z0-9._-]+))(?::([0-9]+))?(/[!-~]*)?\Z")


class NotReadyError(RuntimeError):
    """Envoy did not become ready in time; the text holds the last answer."""


def parse_url(url: str) -> tuple[TcpTarget, str]:
    """Target and path of a plain HTTP URL.

    Raises:
        ValueError: it is none.
    """
    match = _URL.match(url)
    if match is None:
        raise ValueError(f"{url!r} is no URL to wait for, want http://host:port/path")
    return TcpTarget(match[1] or match[2], int(match[3] or 80)), match[4] or "/"


async def wait_until_ready(url: str, *, timeout_s: float, request_s: float, period_s: float) -> None:
    """Ask after each period until the answer is exactly 200.

    Raises:
        NotReadyError: not in time.
        ValueError: the URL cannot be read.
    """
    target, path = parse_url(url)
    last = "nothing was asked yet"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                await asyncio.sleep(period_s)
                try:
                    response = await fetch(target, path, timeout_s=request_s)
                except HttpClientError as error:
                    last = str(error)
                    continue
                if response.status == 200:
                    return
                last = f"status {response.status} {response.body[:200].decode('utf-8', 'replace').strip()}"
    except TimeoutError:
        raise NotReadyError(f"timeout: Envoy is not ready after {timeout_s:g} s; last answer: {last}") from None
