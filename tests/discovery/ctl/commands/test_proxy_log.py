"""`pilotctl proxy-config log`."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from discovery.ctl.commands.proxy_log import parse_levels
from discovery.ctl.errors import CtlError
from tests.kit.ctl import pilotctl
from tests.kit.fake_istiod import FakeIstiod
from tests.kit.live_agent import live_agent


def test_levels_are_read() -> None:
    """The last one for all counts; components keep their order."""
    assert parse_levels("") == ("", ())
    assert parse_levels("info, http:debug,warning,envoy_bug:off") == ("warning", ("http:debug", "envoy_bug:off"))


@pytest.mark.parametrize("text", ["loud", "http:loud", ":debug", "http:"])
def test_what_is_no_level(text: str) -> None:
    """The item is named, and what there is."""
    with pytest.raises(CtlError, match=r"want LEVEL or COMPONENT:LEVEL, where LEVEL is trace"):
        parse_levels(text)


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{held.getsockname()[1]}"


def test_nobody_there(nobody: str) -> None:
    """The error says which option to look at."""
    done = pilotctl("pc", "log", "--admin", nobody)
    assert (done.exit_code, "(--admin)" in done.output) == (1, True)
    assert "want host:port" in pilotctl("pc", "log", "--admin", "here").output


@pytest.mark.envoy
async def test_a_running_envoy(tmp_path: Path) -> None:
    """Told, changed for one and for all, and put back; a component that is none changes nothing."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        await istiod.accept()
        admin = f"127.0.0.1:{agent.ports['proxyAdminPort']}"

        async def levels(*args: str) -> dict[str, str]:
            done = await asyncio.to_thread(pilotctl, "pc", "log", "--admin", admin, "-o", "json", *args)
            assert done.exit_code == 0, done.output
            found: dict[str, str] = json.loads(done.stdout)
            return found

        assert set((await levels()).values()) == {"warning"}
        changed = await levels("--level", "info,http:debug,router:trace")
        assert (changed["http"], changed["router"], changed["admin"]) == ("debug", "trace", "info")
        refused = await asyncio.to_thread(pilotctl, "pc", "log", "--admin", admin, "--level", "error,nonsense:debug")
        assert (refused.exit_code, "has no such component" in refused.output) == (1, True)
        assert await levels() == changed
        table = (await asyncio.to_thread(pilotctl, "pc", "log", "--admin", admin)).stdout.splitlines()
        assert table[0].split() == ["COMPONENT", "LEVEL"]
        assert ["http", "debug"] in [line.split() for line in table]
        assert set((await levels("--reset")).values()) == {"warning"}
