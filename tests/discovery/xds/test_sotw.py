"""State-of-the-world subscriptions, by the sentences of the protocol's specification."""

from __future__ import annotations

import pytest

from discovery.wire.envoy import DiscoveryRequest, serialize
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE
from discovery.xds.names import NameSets
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.sotw import StateOfTheWorld
from discovery.xds.variant import Subscription
from discovery.xds.watch import Watch
from tests.kit.xds_world import proxy_key, small_world

SOTW = StateOfTheWorld()
SETS = NameSets()


def asks(*names: str, type_url: str = CLUSTER) -> Request:
    return Request(type_url=type_url, names=frozenset(names))


def watch(*names: str) -> Watch:
    session = Session(small_world(), proxy_key(), SOTW, number=1)
    return Watch(session, CLUSTER, SOTW.first(asks(*names), SETS).names)


def change(before: Watch, *names: str) -> Subscription:
    after = SOTW.change(before, asks(*names), SETS)
    before.spoke = before.spoke or bool(names)
    before.names = after.names
    return after


def test_the_specification_s_own_example() -> None:
    """Nothing, then `*` and A, then A, then nothing: wildcard, wildcard and A, A, nothing."""
    client = watch()
    assert client.names.wildcard
    assert change(client, "*", "A").names.wildcard
    only = change(client, "A").names
    assert (only.wildcard, only.explicit) == (False, frozenset("A"))
    nothing = change(client).names
    assert (nothing.wildcard, nothing.explicit) == (False, frozenset())


def test_added_names_are_questions_and_dropped_ones_are_not() -> None:
    """Only what is new is answered."""
    client = watch("a", "b")
    assert change(client, "b", "c").asked == {"c"}
    assert change(client, "c").asked == frozenset()
    assert change(client, "c").names is client.names
    assert change(client, "*").everything


@pytest.mark.parametrize(
    ("type_url", "complete"), [(CLUSTER, True), (LISTENER, True), (ENDPOINT, False), (ROUTE, False)]
)
def test_clusters_and_listeners_are_always_complete(type_url: str, *, complete: bool) -> None:
    """What such a response leaves out is removed; for other types it says nothing."""
    assert SOTW.complete(type_url) is complete
    assert SOTW.removal(frozenset("a")) == b""


def test_only_a_client_that_names_nothing_has_a_plain_ack() -> None:
    """A client repeats its names in every request, and without them it would unsubscribe."""
    ack = DiscoveryRequest(version_info="9", type_url=CLUSTER, response_nonce="1.a")
    assert SOTW.ack(watch(), "9", "1.a") == serialize(ack)
    assert SOTW.ack(watch("a"), "9", "1.a") == b""
    assert SOTW.parse(serialize(ack))[0].nonce == "1.a"
