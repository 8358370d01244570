from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discovery.kube.election import (
    Create,
    Election,
    LeaseRecord,
    LeaseTimes,
    Look,
    Renew,
    Wait,
    decode_lease,
    encode_lease,
)

WALL = datetime(2026, 1, 1, tzinfo=UTC)
TIMES = LeaseTimes(lease_s=10)


def record(holder: str = "other", *, version: str = "1", duration_s: int = 10) -> LeaseRecord:
    return LeaseRecord(holder=holder, duration_s=duration_s, acquired_at=WALL, renewed_at=WALL, version=version)


def candidate() -> Election:
    return Election("me", TIMES)


def leader(*, began: float = 0.0) -> Election:
    election = candidate()
    election.observed(None, at=began)
    step = election.next_step(began, WALL)
    assert isinstance(step, Create)
    election.written(msgspec.structs.replace(step.record, version="1"), began=began)
    return election


# -- one candidate -----------------------------------------------------------------------------------------------------


def test_candidate_looks_first() -> None:
    """Nothing is written before the record was read."""
    assert candidate().next_step(0.0, WALL) == Look()


def test_candidate_creates_a_record_where_there_is_none() -> None:
    """The first candidate need not wait."""
    election = candidate()
    election.observed(None, at=1.0)
    step = election.next_step(1.0, WALL)
    assert isinstance(step, Create)
    assert (step.record.holder, step.record.duration_s, step.record.transitions) == ("me", 10, 0)


def test_record_of_another_is_left_alone_for_most_of_its_duration() -> None:
    """What counts is when the change was seen here, not what the record says of the time."""
    election = candidate()
    election.observed(record(), at=100.0)
    assert election.next_step(100.5, WALL + timedelta(days=1)) == Wait(100.0 + TIMES.look_s)
    election.observed(record(), at=107.5)
    assert election.next_step(107.9, WALL) == Wait(108.0)
    step = election.next_step(108.0, WALL)
    assert isinstance(step, Renew)
    assert (step.record.holder, step.record.version, step.record.transitions) == ("me", "1", 1)


def test_renewed_record_is_waited_for_again() -> None:
    """A change seen before the end starts the wait anew."""
    election = candidate()
    election.observed(record(version="1"), at=0.0)
    election.observed(record(version="2"), at=7.0)
    election.observed(record(version="2"), at=9.0)
    assert isinstance(election.next_step(9.1, WALL), Wait)
    election.observed(record(version="2"), at=14.9)
    assert isinstance(election.next_step(15.0, WALL), Renew)


def test_duration_of_the_record_counts_not_our_own() -> None:
    """A holder that was set up with more patience gets it."""
    election = candidate()
    election.observed(record(duration_s=100), at=0.0)
    election.observed(record(duration_s=100), at=79.0)
    assert isinstance(election.next_step(79.5, WALL), Wait)


def test_record_that_was_let_go_is_taken_at_once() -> None:
    """Release on shutdown saves the wait."""
    election = candidate()
    election.observed(record(""), at=5.0)
    assert isinstance(election.next_step(5.0, WALL), Renew)


def test_record_that_was_deleted_is_left_alone_as_long_as_before() -> None:
    """Its holder does not know yet, and still writes."""
    election = candidate()
    election.observed(record(), at=0.0)
    election.observed(None, at=7.5)
    assert isinstance(election.next_step(7.9, WALL), Wait)
    step = election.next_step(8.0, WALL)
    assert isinstance(step, Create)
    assert step.record.version == ""


def test_holder_renews_in_time_and_knows_until_when_it_may_write() -> None:
    """A renewal counts from when it was begun."""
    election = leader(began=1.0)
    assert election.valid_until(1.5) == 1.0 + TIMES.keep_s
    assert election.next_step(1.5, WALL) == Wait(1.0 + TIMES.renew_s)
    step = election.next_step(3.0, WALL)
    assert isinstance(step, Renew)
    election.written(msgspec.structs.replace(step.record, version="2"), began=3.0)
    assert election.valid_until(4.0) == 3.0 + TIMES.keep_s
    assert election.valid_until(9.0) is None


def test_refused_renewal_makes_the_holder_look() -> None:
    """Another write was there; whose it was decides."""
    election = leader()
    election.refused()
    assert election.next_step(2.0, WALL) == Look()
    assert election.valid_until(2.0) is not None
    election.observed(record("other", version="7"), at=2.0)
    assert election.valid_until(2.0) is None


def test_unanswered_renewal_is_tried_again_soon_and_keeps_the_end() -> None:
    """A write without an answer extends nothing, in place though it may be."""
    election = leader()
    election.failed(2.0)
    assert election.next_step(2.1, WALL) == Wait(2.0 + TIMES.renew_s / 3)
    assert election.next_step(2.7, WALL) == Look()
    election.observed(record("me", version="2"), at=2.8)
    assert election.valid_until(2.8) == TIMES.keep_s
    step = election.next_step(2.8, WALL)
    assert isinstance(step, Renew)
    assert step.record.version == "2"


def test_holder_whose_record_was_deleted_makes_it_anew() -> None:
    """It stops writing until that is done."""
    election = leader()
    election.observed(None, at=1.0)
    assert election.valid_until(1.0) is None
    assert isinstance(election.next_step(1.0, WALL), Create)


def test_holder_that_resigns_says_so() -> None:
    """It stops before others are told."""
    election = leader()
    released = election.resign(record("me", version="4"), WALL)
    assert released is not None
    assert (released.holder, released.version) == ("", "4")
    assert election.valid_until(0.0) is None


def test_candidate_that_does_not_hold_has_nothing_to_let_go() -> None:
    """Somebody else's record stays as it is."""
    election = candidate()
    election.observed(record(), at=0.0)
    assert election.resign(record(), WALL) is None
    assert election.resign(None, WALL) is None


def test_the_rhythm_leaves_margins() -> None:
    """Writes end before another may begin, and a successor writes within the duration."""
    for lease_s in (1, 15, 60):
        times = LeaseTimes(lease_s=lease_s)
        assert times.renew_s + times.timeout_s < times.keep_s  # one lost renewal does not end it
        assert times.keep_s * 1.1 < lease_s * 0.8 * 0.9  # clocks may differ by a tenth in rate
        assert times.look_s + lease_s * 0.8 < lease_s


# -- the object --------------------------------------------------------------------------------------------------------


def test_record_survives_the_object() -> None:
    """What is written is what is read."""
    body = encode_lease(record(version="12"), namespace="istio-system", name="leader")
    assert decode_lease(body) == record(version="12")
    assert b'"renewTime":"2026-01-01T00:00:00.000000Z"' in body


def test_record_without_a_version_is_written_without_condition_fields() -> None:
    """A create must not name a version."""
    assert b"resourceVersion" not in encode_lease(record(version=""), namespace="n", name="l")


def test_empty_lease_counts_as_let_go() -> None:
    """A Lease that somebody made by hand holds nobody up."""
    assert decode_lease(b'{"metadata":{"resourceVersion":"3"},"spec":{}}').holder == ""


def test_what_is_no_lease_is_refused() -> None:
    """A broken answer is an error, not a record."""
    with pytest.raises(msgspec.DecodeError):
        decode_lease(b'{"spec":{"leaseDurationSeconds":"soon"}}')


# -- many candidates ---------------------------------------------------------------------------------------------------


class Trouble(NamedTuple):
    """What befalls a replica."""

    at: float
    replica: int
    what: str  # "kill", "stall", "cut", "release"
    for_s: float


class Simulation:
    """Replicas with clocks of their own around one server, event by event; true time is nobody's clock."""

    def __init__(self, rates: list[float], latencies: list[float], troubles: list[Trouble]) -> None:
        self.now = 0.0
        self._order = count()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._stored: LeaseRecord | None = None
        self._version = 0
        self._latencies = latencies
        self._latency_at = 0
        self._rates = rates
        self.elections = [Election(f"replica-{index}", TIMES) for index in range(len(rates))]
        self.dead: set[int] = set()
        self._lives = [0] * len(rates)
        self._stalled_until = [0.0] * len(rates)
        self._cut_until = [0.0] * len(rates)
        self.reigns: list[tuple[float, int]] = []
        for index in range(len(rates)):
            self.at(index * 0.01, partial(self.step, index))
        for trouble in troubles:
            self.at(trouble.at, partial(self.befall, trouble))

    def at(self, when: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._order), call))

    def run(self, until: float) -> None:
        while self._queue and self._queue[0][0] <= until:
            self.now, _, call = heapq.heappop(self._queue)
            call()
            self.look_at_leaders()
        self.now = until

    def look_at_leaders(self) -> None:
        leading = [
            index
            for index, election in enumerate(self.elections)
            if index not in self.dead and election.valid_until(self.local(index)) is not None
        ]
        assert len(leading) <= 1, f"at {self.now}: {leading}"
        if leading and (not self.reigns or self.reigns[-1][1] != leading[0]):
            self.reigns.append((self.now, leading[0]))

    def local(self, index: int) -> float:
        return 1000.0 * index + self.now * self._rates[index]

    def latency(self) -> float:
        self._latency_at += 1
        return self._latencies[self._latency_at % len(self._latencies)]

    def befall(self, trouble: Trouble) -> None:
        index = trouble.replica
        if trouble.what == "stall":
            self._stalled_until[index] = self.now + trouble.for_s
        elif trouble.what == "cut":
            self._cut_until[index] = self.now + trouble.for_s
        elif index not in self.dead:
            if trouble.what == "release":
                self.release(index)
            self.dead.add(index)
            self.at(self.now + trouble.for_s, lambda: self.restart(index))

    def restart(self, index: int) -> None:
        """A new process in its place; what was on its way to the old one reaches nobody."""
        self.dead.discard(index)
        self._lives[index] += 1
        self.elections[index] = Election(f"replica-{index}-{self._lives[index]}", TIMES)
        self.step(index)

    def release(self, index: int) -> None:
        released = self.elections[index].resign(self._stored, WALL)
        if released is not None:
            assert self.store(released) is not None

    def step(self, index: int) -> None:
        election = self.elections[index]
        if index in self.dead:
            return
        if self.now < self._stalled_until[index]:
            self.at(self._stalled_until[index], self.of(index, lambda: self.step(index)))
            return
        step = election.next_step(self.local(index), WALL)
        if isinstance(step, Wait):
            wait_s = max(0.001, (step.until - self.local(index)) / self._rates[index])
            self.at(self.now + wait_s, self.of(index, lambda: self.step(index)))
        elif self.now < self._cut_until[index]:
            self.at(self.now + TIMES.timeout_s, self.of(index, lambda: self.give_up(index)))
        else:
            began = self.local(index)
            self.at(self.now + self.latency(), lambda: self.serve(index, election, step, began))

    def of(self, index: int, call: Callable[[], None]) -> Callable[[], None]:
        """The call, unless the process that it belongs to is dead by then."""
        election = self.elections[index]
        return lambda: call() if self.elections[index] is election and index not in self.dead else None

    def give_up(self, index: int) -> None:
        self.elections[index].failed(self.local(index))
        self.step(index)

    def serve(self, index: int, election: Election, step: Look | Create | Renew, began: float) -> None:
        """The request is at the server; even that of a replica that has died or been cut off since."""
        if isinstance(step, Look):
            found = self._stored
        elif isinstance(step, Create):
            found = self.store(step.record) if self._stored is None else None
        else:
            found = self.store(step.record) if self._stored is not None else None
        if self.elections[index] is election:
            self.at(self.now + self.latency(), self.of(index, lambda: self.answer(index, step, found, began)))

    def store(self, record: LeaseRecord) -> LeaseRecord | None:
        if self._stored is not None and self._stored.version != record.version:
            return None
        self._version += 1
        self._stored = msgspec.structs.replace(record, version=str(self._version))
        return self._stored

    def answer(self, index: int, step: Look | Create | Renew, found: LeaseRecord | None, began: float) -> None:
        if self.now < self._stalled_until[index]:
            later = self.of(index, lambda: self.answer(index, step, found, began))
            self.at(self._stalled_until[index], later)
            return
        election = self.elections[index]
        if self.now < self._cut_until[index]:
            election.failed(self.local(index))
        elif isinstance(step, Look):
            election.observed(found, at=self.local(index))
        elif found is None:
            election.refused()
        else:
            election.written(found, began=began)
        self.step(index)


RATES = st.lists(st.floats(0.97, 1.03), min_size=2, max_size=4)
LATENCIES = st.lists(st.floats(0.001, 0.4), min_size=1, max_size=7)


@st.composite
def troubles(draw: st.DrawFn) -> list[Trouble]:
    return [
        Trouble(
            at=draw(st.floats(1.0, 90.0)),
            replica=draw(st.integers(0, 1)),
            what=draw(st.sampled_from(["kill", "stall", "cut", "release"])),
            for_s=draw(st.floats(0.1, 30.0)),
        )
        for _ in range(draw(st.integers(0, 6)))
    ]


@settings(max_examples=300)
@given(RATES, LATENCIES, troubles())
def test_there_are_never_two_leaders(rates: list[float], latencies: list[float], befalling: list[Trouble]) -> None:
    """Whatever dies, stalls, is cut off or resigns, and however clocks differ: one at most thinks that it may write."""
    Simulation(rates, latencies, befalling).run(120.0)


@settings(max_examples=150)
@given(RATES, st.lists(st.floats(0.001, 0.05), min_size=1, max_size=7), st.floats(5.0, 30.0))
def test_successor_leads_within_the_lease_time(rates: list[float], latencies: list[float], killed_at: float) -> None:
    """When the leader dies another leads before the duration has passed since; latencies are those of a network."""
    simulation = Simulation(rates, latencies, [])
    simulation.run(killed_at)
    [(_, first)] = simulation.reigns
    simulation.dead.add(first)
    simulation.run(killed_at + TIMES.lease_s)
    assert len(simulation.reigns) == 2
    assert simulation.reigns[1][0] - killed_at < TIMES.lease_s


@given(RATES, st.floats(5.0, 30.0))
def test_successor_leads_at_once_after_a_release(rates: list[float], released_at: float) -> None:
    """A shutdown in good order costs others no more than their next look."""
    simulation = Simulation(rates, [0.01], [])
    simulation.run(released_at)
    [(_, first)] = simulation.reigns
    simulation.release(first)
    simulation.dead.add(first)
    simulation.run(released_at + TIMES.look_s * 1.1 + 0.1)
    assert len(simulation.reigns) == 2


def test_simulation_notices_two_leaders() -> None:
    """The property can fail: with a candidate that does not wait, two lead."""
    simulation = Simulation([1.0, 1.0], [0.01], [])
    simulation.run(3.0)
    [(_, first)] = simulation.reigns
    hasty = simulation.elections[1 - first]
    assert simulation._stored is not None
    hasty.written(simulation._stored, began=simulation.local(1 - first))
    with pytest.raises(AssertionError, match="at 3"):
        simulation.look_at_leaders()
