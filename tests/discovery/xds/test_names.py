"""Subscriptions are shared: equal ones are one object."""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import strategies as st

from discovery.xds.names import NameSets

sets_of_names = st.frozensets(st.sampled_from("abcdef"))


def test_equal_subscriptions_are_one_object() -> None:
    """A thousand sidecars that watch the same clusters hold one set."""
    sets = NameSets()
    assert sets.of(frozenset("ab"), wildcard=False) is sets.of(frozenset("ba"), wildcard=False)
    assert sets.of(frozenset("ab"), wildcard=True) is not sets.of(frozenset("ab"), wildcard=False)


@given(sets_of_names, sets_of_names, sets_of_names)
def test_equal_steps_lead_to_the_same_object(start: frozenset[str], add: frozenset[str], drop: frozenset[str]) -> None:
    """Also after each of them has added the same name."""
    sets = NameSets()
    names = sets.of(start, wildcard=False)
    after = sets.revise(names, add=add, drop=drop)
    assert after.explicit == (start - drop) | add
    assert sets.revise(names, add=add, drop=drop) is after
    assert sets.of(after.explicit, wildcard=False) is after


def test_subscriptions_that_nobody_holds_are_forgotten() -> None:
    """An idle client that holds an old one does not keep those that followed alive."""
    sets = NameSets()
    old = names = sets.of(frozenset("a"), wildcard=False)
    for name in "bcdef":
        names = sets.revise(names, add=frozenset(name))
    del names
    gc.collect()
    assert len(sets) == 1
    assert old.wants("a")
    assert not old.wants("b")
