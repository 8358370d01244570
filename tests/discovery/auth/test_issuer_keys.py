"""Keys stay fresh, an issuer is asked in measure, and what is not known is not let in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
import structlog

from discovery.auth.errors import UndecidedError
from discovery.auth.issuer_keys import IssuerKeys, KeyMetrics
from discovery.auth.jwks import JwksError, VerificationKey
from discovery.auth.oidc_rule import OidcRule
from discovery.kube.timing import Timing
from discovery.runtime.logs import configure_logging
from tests.kit.certs import key
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock

ISSUER = "https://id.example.org"


def published(*ids: str) -> tuple[VerificationKey, ...]:
    return tuple(VerificationKey(key_id=one, algorithm="ES256", key=key().public_key()) for one in ids)


class Issuer:
    """Answers as told; None: it is down."""

    def __init__(self, *ids: str) -> None:
        self.ids: tuple[str, ...] | None = ids
        self.asked = 0
        self.bug: Exception | None = None
        self.answers = asyncio.Event()
        self.answers.set()

    async def fetch(self, rule: OidcRule) -> tuple[VerificationKey, ...]:
        assert rule.issuer == ISSUER
        self.asked += 1
        await self.answers.wait()
        if self.bug is not None:
            raise self.bug
        if self.ids is None:
            raise JwksError("id.example.org: connection refused")
        return published(*self.ids)


class World:
    """Keys under a clock turned by hand."""

    def __init__(self, *ids: str) -> None:
        self.issuer = Issuer(*ids)
        self.clock = FakeClock()
        self.metrics = KeyMetrics()
        rule = OidcRule(issuer=ISSUER, audiences=frozenset({"istio-ca"}))
        timing = Timing(self.clock, self.clock.sleep, lambda: 0.5)
        self.keys = IssuerKeys(rule, self.issuer, refresh=timedelta(minutes=20), timing=timing, metrics=self.metrics)

    def ids(self, key_id: str = "") -> list[str]:
        return [one.key_id for one in self.keys.keys(key_id)]

    async def settled(self) -> float:
        """Once nothing is being fetched: seconds until that is done again."""
        return await self.clock.next_wake_s()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with self.keys, asyncio.TaskGroup() as group:
            task = group.create_task(self.keys.run())
            try:
                yield
            finally:
                task.cancel()


async def test_before_the_first_answer_nobody_is_let_in_or_turned_away() -> None:
    """The start does not wait; a caller is told to come again."""
    world = World("a")
    world.issuer.answers.clear()
    async with world.running():
        with pytest.raises(UndecidedError, match="they are being fetched"):
            world.ids("a")
        world.issuer.answers.set()
        await world.settled()
        assert world.ids("a") == ["a"]


async def test_keys_are_fetched_again_now_and_then() -> None:
    """So that a key that the issuer withdrew ends."""
    world = World("a", "b")
    async with world.running():
        assert await world.settled() == 20 * 60
        world.issuer.ids = ("b",)
        await world.clock.pass_to_next_wake()
        await eventually(lambda: world.issuer.asked == 2)
        await world.settled()
        assert world.ids() == ["b"]
        assert world.metrics.success.count() == 2


async def test_an_unknown_key_is_asked_for_at_once() -> None:
    """An issuer that turns to a new key is understood in seconds, not after 20 minutes."""
    world = World("old")
    async with world.running():
        await world.settled()
        world.clock.advance(10)
        world.issuer.ids = ("old", "new")
        world.issuer.answers.clear()
        with pytest.raises(UndecidedError, match="being asked"):
            world.ids("new")
        await eventually(lambda: world.issuer.asked == 2)
        assert world.ids("old") == ["old"], "others are served meanwhile"
        world.issuer.answers.set()
        await eventually(lambda: world.metrics.success.count() == 2)
        assert world.ids("new") == ["old", "new"]


async def test_invented_keys_are_no_flood_at_the_issuer() -> None:
    """A thousand tokens with a key id each: one question in ten seconds, and plain refusals."""
    world = World("a")
    async with world.running():
        await world.settled()
        for second in range(30):
            for number in range(1000):
                try:
                    assert world.ids(f"invented-{second}-{number}") == ["a"]
                except UndecidedError:
                    continue
            await eventually(lambda: world.metrics.success.count() == world.issuer.asked)
            await world.settled()
            world.clock.advance(1)
        assert world.issuer.asked <= 4


async def test_a_token_without_a_key_id_asks_for_nothing() -> None:
    """It is tried with all keys there are."""
    world = World("a")
    async with world.running():
        await world.settled()
        world.clock.advance(60)
        assert world.ids("") == ["a"]
        assert await world.settled() == 20 * 60 - 60
        assert world.issuer.asked == 1


async def test_the_last_good_keys_serve_while_the_issuer_is_down() -> None:
    """It is asked after 1, 2, 4 ... minutes, at most 60, and every 20 again once it is back."""
    world = World("a")
    async with world.running():
        await world.settled()
        world.issuer.ids = None
        waits = []
        for attempt in range(8):
            await world.clock.pass_to_next_wake()
            await eventually(lambda attempt=attempt: world.metrics.fail.count() == attempt + 1)
            waits.append(await world.settled())
            assert world.ids("a") == ["a"]
        assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600]
        world.issuer.ids = ("b",)
        await world.clock.pass_to_next_wake()
        await eventually(lambda: world.metrics.success.count() == 2)
        assert await world.settled() == 20 * 60
        assert world.ids() == ["b"]


async def test_an_issuer_that_was_never_there_is_refused_and_told() -> None:
    """With the reason; a token of its is reason to ask again once a minute, however long the wait has become."""
    configure_logging()
    world = World()
    world.issuer.ids = None
    with structlog.testing.capture_logs() as logs:
        async with world.running():
            for attempt in range(5):
                await eventually(lambda attempt=attempt: world.metrics.fail.count() == attempt + 1)
                await world.settled()
                with pytest.raises(UndecidedError, match=r"no keys of issuer https://id\.example\.org .* refused"):
                    world.ids("a")
                assert world.issuer.asked == attempt + 1, "not sooner than a minute after the last attempt"
                if attempt < 4:
                    await world.clock.pass_to_next_wake()
            assert await world.settled() == 960
            world.clock.advance(60)
            world.issuer.ids = ("a",)
            with pytest.raises(UndecidedError):
                world.ids("a")
            await eventually(lambda: world.metrics.success.count() == 1)
            assert world.ids("a") == ["a"]
    told = [entry for entry in logs if entry["event"] == "keys of the token issuer not fetched"]
    assert [entry["again_in_s"] for entry in told] == [60, 120, 240, 480, 960]
    assert told[0]["issuer"] == ISSUER
    assert "connection refused" in told[0]["reason"]
    assert "refused" in told[0]["meanwhile"]


async def test_an_answer_that_nobody_foresaw_ends_nothing() -> None:
    """Not the control plane, not the keys in use, and not the next fetch."""
    world = World("a")
    async with world.running():
        await world.settled()
        world.issuer.bug = RuntimeError("a mistake of ours")
        await world.clock.pass_to_next_wake()
        await eventually(lambda: world.metrics.fail.count() == 1)
        assert await world.settled() == 60
        assert world.ids("a") == ["a"]
        world.issuer.bug = None
        await world.clock.pass_to_next_wake()
        await eventually(lambda: world.metrics.success.count() == 2)


def test_fetches_are_counted_under_istiods_names() -> None:
    """Dashboards know them."""
    metrics = KeyMetrics()
    names = [metric.name for counter in (metrics.success, metrics.fail) for metric in counter.collect()]
    assert names == [
        "pilot_jwks_resolver_network_fetch_success_total",
        "pilot_jwks_resolver_network_fetch_fail_total",
    ]
