from __future__ import annotations

import pytest

from agent.envoy.admin import AdminError, EnvoyAdmin
from discovery.runtime.http import Response
from tests.kit.admin import ScriptedAdmin, serving


async def test_statistics_are_asked_by_pattern() -> None:
    """The pattern arrives as written, only used statistics are asked for."""
    handler = ScriptedAdmin(stats=Response(body=b"a: 1\n"))
    async with serving(handler) as target:
        assert await EnvoyAdmin(target).stats(r"^(a|b)\.c$", timeout_s=5) == {"a": 1}
    assert handler.asked[0].query == (("usedonly", ""), ("filter", r"^(a|b)\.c$"))


@pytest.mark.parametrize(
    ("inbound_only", "skip_exit", "query"),
    [(True, False, ("inboundonly", "graceful")), (False, True, ("graceful", "skip_exit"))],
)
async def test_draining_is_a_post(query: tuple[str, ...], *, inbound_only: bool, skip_exit: bool) -> None:
    """Graceful always; the rest as asked."""
    handler = ScriptedAdmin(drain_listeners=Response(body=b"OK\n"))
    async with serving(handler) as target:
        await EnvoyAdmin(target).drain_listeners(inbound_only=inbound_only, skip_exit=skip_exit, timeout_s=5)
    assert handler.asked[0].method == "POST"
    assert tuple(name for name, _ in handler.asked[0].query) == query


@pytest.mark.parametrize(("inbound_only", "query"), [(True, (("inboundonly", ""),)), (False, ())])
async def test_closing_is_a_drain_without_grace(query: tuple[tuple[str, str], ...], *, inbound_only: bool) -> None:
    """It takes effect at once."""
    handler = ScriptedAdmin(drain_listeners=Response(body=b"OK\n"))
    async with serving(handler) as target:
        await EnvoyAdmin(target).close_listeners(inbound_only=inbound_only, timeout_s=5)
    assert (handler.asked[0].method, handler.asked[0].query) == ("POST", query)


async def test_another_status_is_an_error() -> None:
    """It names the request and the status."""
    async with serving(ScriptedAdmin()) as target:
        with pytest.raises(AdminError, match=r"GET /stats.* gave status 404, want 200"):
            await EnvoyAdmin(target).stats("x", timeout_s=5)


@pytest.mark.parametrize(
    ("body", "epoch"),
    [
        (b'{"state": "LIVE", "command_line_options": {"restart_epoch": 2}}', 2),
        (b'{"state": "LIVE", "command_line_options": {}}', 0),
        (b'{"state": "INITIALIZING", "command_line_options": {"restart_epoch": 2}}', None),
    ],
)
async def test_the_epoch_of_a_live_one(body: bytes, epoch: int | None) -> None:
    """Who is not live has none."""
    async with serving(ScriptedAdmin(server_info=Response(body=body))) as target:
        assert await EnvoyAdmin(target).live_epoch(timeout_s=5) == epoch


@pytest.mark.parametrize("body", [b"", b"{}", b"[]"])
async def test_odd_answers_are_errors(body: bytes) -> None:
    """Somebody else may have the port."""
    async with serving(ScriptedAdmin(server_info=Response(body=body))) as target:
        with pytest.raises(AdminError, match="server_info"):
            await EnvoyAdmin(target).live_epoch(timeout_s=5)
