"""The quick way and the way name by name give the same answer."""

from __future__ import annotations

import pytest

from discovery.wire.envoy import DeltaDiscoveryResponse, DiscoveryResponse
from discovery.wire.type_urls import CLUSTER, ENDPOINT
from discovery.xds import flow
from discovery.xds.answer import Answer, Terms, compose, compose_by_name, lookup
from discovery.xds.delta import Delta
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.sotw import StateOfTheWorld
from discovery.xds.table import Form
from discovery.xds.watch import Watch
from tests.discovery.xds.test_session_histories import DeltaHistories, Histories, HostHistories, SotwHistories
from tests.kit.xds_world import proxy_key, put, refresh, small_world


def facts(answer: Answer, form: Form) -> tuple[object, ...]:
    """What an answer says, whatever the order of its pieces."""
    data = b"".join(answer.body)
    if form is Form.DELTA:
        delta = DeltaDiscoveryResponse.FromString(data)
        carried = sorted((r.name, r.version, r.resource.value) for r in delta.resources)
        said: tuple[object, ...] = (carried, sorted(delta.removed_resources))
    else:
        said = (sorted(entry.value for entry in DiscoveryResponse.FromString(data).resources),)
    return (*said, frozenset().union(*answer.sent), answer.removed, set(answer.lingering))


def both(watch: Watch, terms: Terms) -> Answer:
    quick = compose(watch, terms)
    form = terms.variant.form
    assert facts(quick, form) == facts(compose_by_name(watch, terms), form)
    return quick


@pytest.mark.parametrize("histories", [DeltaHistories, HostHistories, SotwHistories])
def test_both_ways_agree_after_any_history(histories: type[Histories], monkeypatch: pytest.MonkeyPatch) -> None:
    """Ready-made parts are an optimisation and nothing else."""
    monkeypatch.setattr(flow, "compose", both)
    case = histories.TestCase("runTest")
    case.runTest()


def test_the_first_table_that_has_a_name_decides() -> None:
    """A name in two tables is sent once."""
    world = small_world()
    put(world, "shop", CLUSTER, {"a": b"a=1"})
    put(world, "shop.in", CLUSTER, {"a": b"a=2", "b": b"b=2"})
    session = Session(world, proxy_key(), Delta(), number=1)
    session.receive(Request(type_url=CLUSTER), 0.0)
    send = session.next_send(0.0)
    assert send is not None
    sent = {r.name: r.resource.value for r in DeltaDiscoveryResponse.FromString(send.data()).resources}
    assert sent == {"a": b"a=1", "b": b"b=2"}
    found = lookup(session.watches[CLUSTER].tables, "a")
    assert found is not None
    assert found.value == b"a=1"


def test_a_name_that_nothing_has_is_answered_with_its_stand_in_or_as_removed() -> None:
    """So that Envoy stops waiting for it."""
    world = small_world()
    session = Session(world, proxy_key(), Delta(), number=1)
    session.receive(Request(type_url=ENDPOINT, subscribe=frozenset({"gone"})), 0.0)
    send = session.next_send(0.0)
    assert send is not None
    assert [r.resource.value for r in DeltaDiscoveryResponse.FromString(send.data()).resources] == [b"gone=empty shop"]


def test_a_thousand_equal_clients_share_the_bytes() -> None:
    """Only nonce and version differ; the body is the very same object."""
    world = small_world()
    put(world, "shop", ENDPOINT, {f"n{i}": b"x" * 100 for i in range(50)})
    sessions = [Session(world, proxy_key(ip=f"10.0.0.{i}"), Delta(), number=i) for i in range(1, 5)]
    for session in sessions:
        session.receive(Request(type_url=ENDPOINT, subscribe=frozenset(f"n{i}" for i in range(50))), 0.0)
    bodies = []
    for session in sessions:
        send = session.next_send(0.0)
        assert send is not None
        bodies.append(send.pieces[1])
    assert all(body is bodies[1] for body in bodies[1:])
    refresh(world, put(world, "shop", ENDPOINT, {"n0": b"y"}))


def test_a_complete_response_names_nothing_twice_whatever_it_is_about() -> None:
    """A name in two tables stays one resource also when something else has changed."""
    world = small_world()
    put(world, "shop", CLUSTER, {"a": b"a=1", "b": b"b=1"})
    put(world, "shop.in", CLUSTER, {"a": b"a=2"})
    session = Session(world, proxy_key(), StateOfTheWorld(), number=1)
    session.receive(Request(type_url=CLUSTER, names=frozenset()), 0.0)
    assert session.next_send(0.0) is not None
    session.receive(Request(type_url=CLUSTER, names=frozenset(), nonce=session.watches[CLUSTER].nonce), 0.0)
    refresh(world, put(world, "shop", CLUSTER, {"a": b"a=1", "b": b"b=2"}))
    send = session.next_send(0.0)
    assert send is not None
    values = sorted(entry.value for entry in DiscoveryResponse.FromString(send.data()).resources)
    assert values == [b"a=1", b"b=2"]
