"""One stream: what is answered and what is not, as the tables of istiod's own tests have it, and our own rules."""

from __future__ import annotations

import pytest

from discovery.wire.envoy import DeltaDiscoveryResponse, DiscoveryResponse
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, NAME_TABLE, ROUTE, SECRET, VIRTUAL_HOST
from discovery.xds.delta import Delta
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.sotw import StateOfTheWorld
from discovery.xds.world import Expired, Fact, Limits, Rejected, TooManyNamesError, Unserved, World
from tests.kit.xds_world import proxy_key, put, refresh, small_world


def filled() -> World:
    world = small_world()
    for type_url in (CLUSTER, ENDPOINT, LISTENER, ROUTE):
        put(world, "shop", type_url, {name: f"{name}=1".encode() for name in ("a", "b", "c")})
    return world


def sotw(world: World) -> Session:
    return Session(world, proxy_key(), StateOfTheWorld(), number=1, refused=frozenset({VIRTUAL_HOST}))


def delta(world: World, *, vhds: bool = False) -> Session:
    return Session(world, proxy_key(vhds=vhds), Delta(), number=1)


def names(session: Session) -> set[str] | None:
    """Names of the next response; None when there is none."""
    send = session.next_send(0.0)
    if send is None:
        return None
    if isinstance(session.variant, Delta):
        return {r.name for r in DeltaDiscoveryResponse.FromString(send.data()).resources}
    return {r.value.partition(b"=")[0].decode() for r in DiscoveryResponse.FromString(send.data()).resources}


def ask(session: Session, type_url: str, *wanted: str, nonce: str = "", error: str | None = None) -> tuple[Fact, ...]:
    return session.receive(Request(type_url=type_url, names=frozenset(wanted), nonce=nonce, error=error), 0.0)


def nonce(session: Session, type_url: str) -> str:
    return session.watches[type_url].nonce


def test_a_nonce_of_another_stream_is_a_first_request() -> None:
    """After a restart of the server, clients present what the old one gave them."""
    session = sotw(filled())
    ask(session, CLUSTER, nonce="of long ago")
    assert names(session) == {"a", "b", "c"}


def test_changed_names_are_answered_with_the_new_ones_only() -> None:
    """With a current nonce; routes and endpoints may come in parts."""
    session = sotw(filled())
    ask(session, ENDPOINT, "a")
    assert names(session) == {"a"}
    ask(session, ENDPOINT, "a", "b", nonce=nonce(session, ENDPOINT))
    assert names(session) == {"b"}
    ask(session, ENDPOINT, "b", nonce=nonce(session, ENDPOINT))
    assert names(session) is None


def test_requests_without_a_nonce_start_over() -> None:
    """Each is answered with exactly what it names."""
    session = sotw(filled())
    for wanted in ({"a"}, {"b"}, {"a", "b"}, {"a"}):
        ask(session, ROUTE, *wanted)
        assert names(session) == wanted


def test_an_empty_list_of_routes_is_no_subscription() -> None:
    """Neither as the first request nor later; what follows works."""
    session = sotw(filled())
    ask(session, ROUTE)
    assert names(session) is None
    ask(session, ROUTE, "a")
    assert names(session) == {"a"}
    ask(session, ROUTE, nonce=nonce(session, ROUTE))
    assert names(session) is None


def test_a_stale_request_is_ignored_and_counted() -> None:
    """The client will say it again when it has answered the last response."""
    session = sotw(filled())
    ask(session, ENDPOINT, "a")
    assert names(session) == {"a"}
    assert ask(session, ENDPOINT, "a", "b", nonce="old") == (Expired(ENDPOINT),)
    assert names(session) is None


def test_a_rejected_response_is_reported_and_not_sent_again() -> None:
    """Until its bytes change."""
    world = filled()
    session = sotw(world)
    ask(session, CLUSTER)
    assert names(session) == {"a", "b", "c"}
    (fact,) = ask(session, CLUSTER, nonce=nonce(session, CLUSTER), error="bad")
    assert isinstance(fact, Rejected)
    assert (fact.names, fact.error) == (("a", "b", "c"), "bad")
    assert names(session) is None
    refresh(world, put(world, "shop", CLUSTER, {"a": b"a=2"}))
    assert names(session) == {"a"}


def test_one_bad_resource_does_not_hold_the_others_back() -> None:
    """Types that Envoy takes whole or not at all are tried again in halves, until the bad one is alone."""
    session = sotw(filled())
    ask(session, ENDPOINT, "a", "b", "c")
    taken: set[str] = set()
    tried = []
    while (carried := names(session)) is not None:
        tried.append(carried)
        bad = "b" in carried
        taken |= set() if bad else carried
        ask(session, ENDPOINT, "a", "b", "c", nonce=nonce(session, ENDPOINT), error="bad" if bad else None)
    assert taken == {"a", "c"}
    assert tried == [{"a", "b", "c"}, {"a"}, {"b", "c"}, {"b"}, {"c"}]


def test_types_that_are_not_served_are_passed_over() -> None:
    """Unknown ones, and those refused to this stream."""
    session = Session(filled(), proxy_key(), Delta(), number=1, refused=frozenset({SECRET}))
    assert session.receive(Request(type_url="a.B", error="x"), 0.0) == (Unserved("a.B", "x"),)
    assert session.receive(Request(type_url=SECRET), 0.0) == (Unserved(SECRET),)
    assert not session.watches


def test_an_empty_first_answer_is_sent_to_envoy_but_not_to_the_agent() -> None:
    """Envoy waits for it; an agent takes an empty table for an error."""
    session = delta(small_world())
    session.receive(Request(type_url=CLUSTER), 0.0)
    session.receive(Request(type_url=NAME_TABLE), 0.0)
    assert names(session) == set()
    assert names(session) is None


def test_a_plain_ack_is_told_by_its_bytes() -> None:
    """Nothing is parsed; anything else is left to the parser."""
    session = delta(filled())
    session.receive(Request(type_url=CLUSTER), 0.0)
    assert names(session) is not None
    in_flight = session.watches[CLUSTER].in_flight
    assert in_flight is not None
    assert [session.quiet, session.receive_ack(b"something else", 1.0)] == [False, False]
    assert session.receive_ack(in_flight.ack, 1.0)
    assert [session.quiet] == [True]
    assert (session.watches[CLUSTER].acked, session.watches[CLUSTER].acked_at) == (in_flight.nonce, 1.0)
    assert not session.receive_ack(in_flight.ack, 2.0)


def test_a_client_that_does_not_ask_for_virtual_hosts_is_served_whole_routes() -> None:
    """Envoy asks for them before it acknowledges the route configuration; so this is another client."""
    world = filled()
    put(world, "shop+vhds", ROUTE, {"80": b"80=thin"})
    put(world, "shop", ROUTE, {"80": b"80=whole"})
    put(world, "shop/80", VIRTUAL_HOST, {"80/x": b"80/x=1"})
    session = delta(world, vhds=True)
    session.receive(Request(type_url=ROUTE, subscribe=frozenset({"80"})), 0.0)
    assert names(session) == {"80"}
    session.receive(Request(type_url=ROUTE, nonce=nonce(session, ROUTE)), 0.0)
    assert not session.key.vhds
    send = session.next_send(0.0)
    assert send is not None
    assert DeltaDiscoveryResponse.FromString(send.data()).resources[0].resource.value == b"80=whole"


def test_a_virtual_host_asked_for_that_does_not_exist_is_answered_without_a_body() -> None:
    """So the request that Envoy has paused for it goes on, to a 404."""
    world = filled()
    put(world, "shop+vhds", ROUTE, {"80": b"80=thin"})
    put(world, "shop/80", VIRTUAL_HOST, {"80/x": b"80/x=1"})
    session = delta(world, vhds=True)
    session.receive(Request(type_url=ROUTE, subscribe=frozenset({"80"})), 0.0)
    session.receive(Request(type_url=VIRTUAL_HOST, subscribe=frozenset({"80/nowhere"})), 0.0)
    assert names(session) == {"80"}
    send = session.next_send(0.0)
    assert send is not None
    entries = {r.name: r.HasField("resource") for r in DeltaDiscoveryResponse.FromString(send.data()).resources}
    assert entries == {"80/x": True, "80/nowhere": False}


def test_nobody_may_name_without_end() -> None:
    """Names are memory."""
    session = delta(small_world(Limits(max_names=2)))
    session.receive(Request(type_url=ENDPOINT, subscribe=frozenset("ab")), 0.0)
    with pytest.raises(TooManyNamesError):
        session.receive(Request(type_url=ENDPOINT, subscribe=frozenset("c")), 0.0)


def test_a_closed_session_leaves_nothing_behind() -> None:
    """Neither tables nor views."""
    world = filled()
    session = delta(world)
    session.receive(Request(type_url=CLUSTER), 0.0)
    session.close()
    assert len(world.tables) == 0
    assert put(world, "shop", CLUSTER, {}).touched == ()
