"""When probes are made, and what is told of them."""

from __future__ import annotations

import asyncio

from agent.health.checker import HealthChecker
from agent.health.probe import Probe, TcpCheck
from agent.status.readiness import Gate
from agent.xds_proxy.relay import Health
from tests.kit.fake_clock import FakeClock


class Bench:
    """A checker whose application and sidecar say what they are told to."""

    def __init__(self, probe: Probe) -> None:
        self.clock = FakeClock()
        self.application = ""
        self.sidecar = ""
        self.asked_at: list[float] = []
        self.told: list[str | None] = []
        self.checker = HealthChecker(
            probe,
            self.ask,
            lambda health: self.told.append(health.failure),
            clock=self.clock,
            checks=[Gate("envoy", lambda: self.sidecar)],
            sleep=self.clock.sleep,
        )

    async def ask(self, _probe: Probe) -> str:
        self.asked_at.append(self.clock.monotonic())
        return self.application

    async def pass_time(self) -> None:
        """Until the next probe has been made."""
        await self.clock.pass_to_next_wake()
        await self.clock.next_wake_s()


async def test_the_first_probe_comes_after_the_delay_and_then_one_each_period() -> None:
    """Changes are told, and nothing else."""
    bench = Bench(Probe(check=TcpCheck(port=1), initial_delay_s=5, period_s=2))
    async with bench.checker, asyncio.TaskGroup() as group:
        task = group.create_task(bench.checker.run())
        await bench.clock.next_wake_s()
        assert bench.asked_at == []
        for application in ("", "", "refused", "timed out", ""):
            bench.application = application
            await bench.pass_time()
        task.cancel()
    assert bench.asked_at == [5, 7, 9, 11, 13]
    assert bench.told == [None, "refused", None]


async def test_a_sidecar_that_cannot_serve_is_a_workload_that_cannot() -> None:
    """Then the application need not be asked."""
    bench = Bench(Probe(check=TcpCheck(port=1), period_s=1, failure_threshold=2))
    bench.sidecar = "config not received"
    async with bench.checker, asyncio.TaskGroup() as group:
        task = group.create_task(bench.checker.run())
        await bench.clock.next_wake_s()
        await bench.pass_time()
        assert bench.told == []
        await bench.pass_time()
        assert bench.told == ["config not received"]
        assert bench.asked_at == []
        bench.sidecar = ""
        await bench.pass_time()
        task.cancel()
    assert bench.told == ["config not received", None]


async def test_who_fails_is_told_anew() -> None:
    """Or a machine whose sidecar has long been configured would be said to wait for it while its application is ill."""
    bench = Bench(Probe(check=TcpCheck(port=1), period_s=1))
    said = [("not configured", ""), ("rejected", ""), ("", "refused"), ("", "timed out"), ("", ""), ("", "refused")]
    async with bench.checker, asyncio.TaskGroup() as group:
        task = group.create_task(bench.checker.run())
        await bench.clock.next_wake_s()
        for bench.sidecar, bench.application in said:
            await bench.pass_time()
        task.cancel()
    assert bench.told == ["not configured", "refused", None, "refused"]


def test_what_is_told_is_a_value_that_the_relay_takes() -> None:
    """Equal words are equal, so that they are not said twice."""
    assert Health(failure="x") == Health(failure="x")
    assert Health() == Health(failure=None)
