from __future__ import annotations

import pytest

from agent.waiting import NotReadyError, parse_url, wait_until_ready
from discovery.runtime.http import Response
from discovery.runtime.http_client import TcpTarget
from tests.kit.admin import ScriptedAdmin, serving


@pytest.mark.parametrize(
    ("url", "target", "path"),
    [
        ("http://localhost:15021/healthz/ready", TcpTarget("localhost", 15021), "/healthz/ready"),
        ("http://[::1]:1", TcpTarget("::1", 1), "/"),
        ("http://h/x?y=1", TcpTarget("h", 80), "/x?y=1"),
    ],
)
def test_urls_are_read(url: str, target: TcpTarget, path: str) -> None:
    """Host, port and path."""
    assert parse_url(url) == (target, path)


@pytest.mark.parametrize("url", ["https://h/", "h:1", "", "http://", "http://a b/"])
def test_other_urls_are_refused(url: str) -> None:
    """Plain HTTP to this host is all there is."""
    with pytest.raises(ValueError, match="want http://host:port/path"):
        parse_url(url)


async def test_ready_is_exactly_200() -> None:
    """Then the wait is over."""
    async with serving(ScriptedAdmin(ready=Response())) as target:
        await wait_until_ready(f"http://{target}/ready", timeout_s=5, request_s=5, period_s=0)


@pytest.mark.parametrize(
    "answers", [{"ready": Response(status=503, body=b"gate: closed")}, {"ready": Response(status=204)}, {}]
)
async def test_anything_else_times_out(answers: dict[str, Response]) -> None:
    """The error holds the last answer."""
    async with serving(ScriptedAdmin(**answers)) as target:
        with pytest.raises(
            NotReadyError, match=r"not ready after 0\.1 s; last answer: status (503 gate: closed|204|404)"
        ):
            await wait_until_ready(f"http://{target}/ready", timeout_s=0.1, request_s=5, period_s=0.001)
