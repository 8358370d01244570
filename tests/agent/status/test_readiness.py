from __future__ import annotations

import pytest

from agent.envoy.admin import AdminError
from agent.status.readiness import Check, EnvoyConfigured, EnvoyLive, Gate, first_objection, judge_config, judge_server

_CDS, _LDS = "cluster_manager.cds.update_", "listener_manager.lds.update_"
_LIVE = {"server.state": 0, "listener_manager.workers_started": 1}


@pytest.mark.parametrize(
    ("stats", "message"),
    [
        ({_CDS + "success": 1, _LDS + "success": 1}, ""),
        ({_CDS + "success": 1, _LDS + "success": 1, _LDS + "rejected": 1}, ""),
        (
            {},
            "config not received from XDS server (is Istiod running?): cds updates: 0 successful, 0 rejected; "
            "lds updates: 0 successful, 0 rejected",
        ),
        (
            {_CDS + "success": 1},
            "config not fully received from XDS server: cds updates: 1 successful, 0 rejected; "
            "lds updates: 0 successful, 0 rejected",
        ),
        (
            {_CDS + "success": 1, _LDS + "rejected": 2},
            "config received from XDS server, but was rejected: cds updates: 1 successful, 0 rejected; "
            "lds updates: 0 successful, 2 rejected",
        ),
    ],
)
def test_configuration_is_judged(stats: dict[str, int], message: str) -> None:
    """Both kinds must have been accepted once; the message says what came."""
    assert judge_config(stats) == message


@pytest.mark.parametrize(
    ("stats", "message"),
    [
        (_LIVE, ""),
        ({**_LIVE, "server.state": 1}, "server is not live, current state is: DRAINING"),
        ({**_LIVE, "server.state": 2}, "server is not live, current state is: PRE_INITIALIZING"),
        ({**_LIVE, "server.state": 3}, "server is not live, current state is: INITIALIZING"),
        ({**_LIVE, "listener_manager.workers_started": 0}, "workers have not yet started"),
        ({"listener_manager.workers_started": 1}, "server.state is not yet updated"),
        ({"server.state": 0}, "listener_manager.workers_started is not yet updated"),
    ],
)
def test_the_server_is_judged(stats: dict[str, int], message: str) -> None:
    """Live, and its workers run; a statistic that is missing is no zero."""
    found = judge_server(stats)
    assert message in found
    assert bool(found) == bool(message)


class _Source:
    def __init__(self) -> None:
        self.answers: dict[str, int] = {}
        self.failing = False
        self.asked = 0

    async def stats(self, pattern: str, *, timeout_s: float) -> dict[str, int]:
        assert pattern
        assert timeout_s > 0
        self.asked += 1
        if self.failing:
            raise AdminError("gone")
        return self.answers


async def test_success_is_latched() -> None:
    """Once configured, Envoy is not asked again, and a dead admin does not matter."""
    source = _Source()
    check = EnvoyConfigured(source)
    assert "not received" in await check.objection()
    source.answers = {_CDS + "success": 1, _LDS + "success": 1}
    assert await check.objection() == ""
    source.failing = True
    assert await check.objection() == ""
    assert source.asked == 2


async def test_another_envoy_is_asked_anew() -> None:
    """What its predecessor had been told is gone with it; in between nothing is ready."""
    source = _Source()
    lives: list[int | None] = [1]
    check = EnvoyConfigured(source, life=lambda: lives[0])
    source.answers = {_CDS + "success": 1, _LDS + "success": 1}
    assert await check.objection() == ""
    lives[0] = None
    assert await check.objection() == "Envoy is not running"
    lives[0], source.answers = 2, {}
    assert "not received" in await check.objection()


async def test_the_first_success_is_told() -> None:
    """Once, for the time that the start took."""
    source, passed = _Source(), []
    check = EnvoyLive(source, on_pass=lambda: passed.append(1))
    source.failing = True
    assert await check.objection() == "failed to get readiness stats: gone"
    source.failing, source.answers = False, _LIVE
    assert [await check.objection(), await check.objection()] == ["", ""]
    assert passed == [1]


async def test_the_first_objection_wins() -> None:
    """In order; nobody behind it is asked."""
    source = _Source()
    checks: list[Check] = [Gate("a", lambda: ""), Gate("b", lambda: "closed"), EnvoyLive(source)]
    assert await first_objection(checks) == ("b", "closed")
    assert source.asked == 0
    assert await first_objection([Gate("a", lambda: "")]) is None
