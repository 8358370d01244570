"""Delta subscriptions, by the sentences of the protocol's specification."""

from __future__ import annotations

from discovery.wire.envoy import DeltaDiscoveryRequest, DeltaDiscoveryResponse, serialize
from discovery.wire.type_urls import CLUSTER, ENDPOINT, VIRTUAL_HOST
from discovery.xds.delta import Delta
from discovery.xds.names import NameSets
from discovery.xds.reports import Report
from discovery.xds.request import Request
from discovery.xds.session import Session
from discovery.xds.variant import Subscription
from discovery.xds.watch import Watch
from tests.kit.xds_world import proxy_key, small_world

DELTA = Delta()
SETS = NameSets()


def first(
    type_url: str, *subscribe: str, known: tuple[str, ...] = (), unsubscribe: tuple[str, ...] = ()
) -> Subscription:
    request = Request(
        type_url=type_url,
        subscribe=frozenset(subscribe),
        unsubscribe=frozenset(unsubscribe),
        known=Report(dict.fromkeys(known, "1")) if known else None,
    )
    return DELTA.first(request, SETS)


def change(before: Subscription, *subscribe: str, unsubscribe: tuple[str, ...] = ()) -> Subscription:
    session = Session(small_world(), proxy_key(), DELTA, number=1)
    request = Request(type_url=CLUSTER, subscribe=frozenset(subscribe), unsubscribe=frozenset(unsubscribe))
    return DELTA.change(Watch(session, CLUSTER, before.names), request, SETS)


def test_naming_nothing_means_everything_for_clusters_only() -> None:
    """The legacy wildcard exists for types that have one by default."""
    assert first(CLUSTER).names.wildcard
    assert not first(ENDPOINT).names.wildcard
    assert first(ENDPOINT, "*").names.wildcard


def test_what_a_client_reports_to_hold_is_subscribed_to() -> None:
    """Unless it unsubscribes in the same breath, or the wildcard covers it."""
    assert first(ENDPOINT, "a", known=("b", "c"), unsubscribe=("c",)).names.explicit == {"a", "b"}
    assert first(CLUSTER, known=("b",)).names.explicit == frozenset()


def test_subscribing_again_is_a_question() -> None:
    """The server must answer, whether or not anything changed."""
    before = first(CLUSTER, "a")
    again = change(before, "a")
    assert again.names is before.names
    assert again.asked == {"a"}


def test_a_name_beside_the_legacy_wildcard_leaves_it() -> None:
    """Only unsubscribing from `*` ends it."""
    both = change(first(CLUSTER), "a")
    assert (both.names.wildcard, both.names.explicit) == (True, frozenset("a"))
    named = change(both, unsubscribe=("*",))
    assert (named.names.wildcard, named.names.explicit) == (False, frozenset("a"))
    assert change(named, "*").everything


def test_leaving_a_name_that_the_wildcard_covers_is_a_question() -> None:
    """The client forgets it, and must be told that it is still there."""
    left = change(change(first(CLUSTER), "a"), unsubscribe=("a",))
    assert left.asked == {"a"}
    assert left.names.explicit == frozenset()


def test_virtual_hosts_are_never_subscribed_by_name() -> None:
    """A name is a question of a paused request."""
    asked = first(VIRTUAL_HOST, "80/a.com")
    assert (asked.names.wildcard, asked.names.explicit, asked.demanded) == (True, frozenset(), frozenset({"80/a.com"}))


def test_removals_and_acks_are_as_the_library_writes_them() -> None:
    """They are written by hand because they are written a thousand times."""
    session = Session(small_world(), proxy_key(), DELTA, number=1)
    watch = Watch(session, CLUSTER, first(CLUSTER).names)
    assert DELTA.removal(frozenset("ba")) == serialize(DeltaDiscoveryResponse(removed_resources=["a", "b"]))
    ack = DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce="1.a")
    assert DELTA.ack(watch, "9", "1.a") == serialize(ack)
    assert not DELTA.complete(CLUSTER)
    assert DELTA.parse(serialize(ack))[0].nonce == "1.a"
