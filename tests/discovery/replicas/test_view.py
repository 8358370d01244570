"""What the leader knows of another replica."""

from __future__ import annotations

from discovery.replicas.messages import Ask, Forget, Told
from discovery.replicas.view import ReplicaView
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery

KEY = ObjectKey(Kind.SIDECAR, "shop", "a")
NAME = ("Sidecar", "shop", "a")
WAITING = Delivery(waiting=1)


def test_each_generation_is_asked_about_once() -> None:
    """However often one wants to know."""
    view = ReplicaView()
    assert view.of(KEY, 7) == view.of(KEY, 7) == WAITING
    assert view.questions() == [Ask(NAME, 7)]
    assert view.questions() == []
    view.of(KEY, 8)
    assert view.questions() == [Ask(NAME, 8)]


def test_answer_about_the_generation_counts() -> None:
    """One about another is late; one that says the same, or about what nobody asked, is no news."""
    view = ReplicaView()
    view.of(KEY, 8)
    assert view.take([Told(NAME, 7, Delivery())]) == []
    assert view.of(KEY, 8) == WAITING
    assert view.take([Told(NAME, 8, Delivery()), Told(("Wormhole", "", "x"), 1, Delivery())]) == [KEY]
    assert view.of(KEY, 8) == Delivery()
    assert view.take([Told(NAME, 8, Delivery())]) == []


def test_new_stream_begins_with_all_that_is_of_interest() -> None:
    """What was said on the one before may be of another life."""
    view = ReplicaView()
    view.of(KEY, 7)
    view.questions()
    view.take([Told(NAME, 7, Delivery())])
    view.begin()
    assert view.questions() == [Ask(NAME, 7)]
    assert view.of(KEY, 7) == WAITING


def test_what_is_well_everywhere_is_of_no_interest_any_more() -> None:
    """The other replica dropped it by itself when it said so."""
    view = ReplicaView()
    view.of(KEY, 7)
    view.questions()
    view.drop(KEY)
    assert view.keys == ()
    assert view.questions() == []


def test_object_that_is_gone_is_called_off() -> None:
    """If it was asked about."""
    view = ReplicaView()
    view.forget(KEY)
    assert view.questions() == []
    view.of(KEY, 7)
    view.forget(KEY)
    assert view.questions() == [Ask(NAME, 7), Forget(NAME)]
    assert view.keys == ()
