"""The objects of a collection, and what each thing read changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.kube.cache import Cache, Change
from discovery.kube.envelope import Item, Meta, Name


def item(name: str, version: int, namespace: str = "n", **labels: str) -> Item:
    """An object whose value is its version."""
    return Item(Meta(name, namespace, f"uid-{name}", str(version), labels), str(version).encode())


def cache() -> Cache[str]:
    """Decodes to the text; objects labelled `skip` are not for us, values of "0" neither."""
    return Cache(lambda it: it.raw.decode() if it.raw != b"0" else None, lambda meta: "skip" not in meta.labels)


def key(name: str, namespace: str = "n") -> Name:
    return Name(namespace, name)


def test_objects_come_change_and_go() -> None:
    """Each with what was before."""
    made = cache()
    assert made.put(item("a", 1)) == Change(key("a"), None, "1")
    assert made.put(item("a", 2)) == Change(key("a"), "1", "2")
    assert (made.get(key("a")), len(made)) == ("2", 1)
    assert made.remove(item("a", 3).meta) == Change(key("a"), "2", None)
    assert made.remove(item("a", 3).meta) is None
    assert list(made.values()) == []


def test_a_version_that_is_known_is_not_decoded_again() -> None:
    """A new look at everything costs nothing where nothing changed."""
    made = cache()
    for name in "abc":
        made.put(item(name, 1))
    made.begin()
    changes = [made.put(item("a", 1)), made.put(item("b", 2))]
    assert changes == [None, Change(key("b"), "1", "2")]
    assert made.end() == [Change(key("c"), "1", None)]
    assert made.decoded == 4


def test_a_look_that_was_not_finished_takes_nothing_away() -> None:
    """It begins anew."""
    made = cache()
    made.put(item("a", 1))
    made.put(item("b", 1))
    made.begin()
    made.put(item("a", 1))
    made.begin()
    made.put(item("b", 1))
    assert made.end() == [Change(key("a"), "1", None)]


def test_what_is_not_for_us_is_neither_kept_nor_decoded() -> None:
    """And what stops being for us is gone."""
    made = cache()
    assert made.put(item("a", 1, skip="1")) is None
    assert made.decoded == 0
    made.put(item("a", 2))
    assert made.put(item("a", 3, skip="1")) == Change(key("a"), "2", None)
    made.put(item("a", 4))
    assert made.put(item("a", 0)) == Change(key("a"), "4", None)


def test_what_is_held_may_depend_on_what_was() -> None:
    """A last good version outlives a bad one."""
    made: Cache[str] = Cache(lambda it: it.raw.decode(), lambda _: True, lambda old, new: old if new == "7" else new)
    made.put(item("a", 1))
    assert made.put(item("a", 7)) == Change(key("a"), "1", "1")
    assert made.put(item("a", 8)) == Change(key("a"), "1", "8")


def test_namespaces_are_told_apart() -> None:
    """Reading and forgetting one leaves the others."""
    made = cache()
    made.put(item("a", 1, "n"))
    made.put(item("a", 1, "m"))
    assert list(made.values("m")) == [(key("a", "m"), "1")]
    assert made.drop_namespace("m") == [Change(key("a", "m"), "1", None)]
    assert made.drop_namespace("m") == []
    assert list(made.values()) == [(key("a"), "1")]


def test_a_namespace_read_on_its_own_may_be_ahead_of_the_watch() -> None:
    """Older versions that the watch still tells do not take it back; newer ones count."""
    made = cache()
    made.begin_namespace("n")
    assert made.put_read(item("a", 9)) == Change(key("a"), None, "9")
    assert made.put(item("a", 7)) is None
    assert made.put(item("a", 10)) == Change(key("a"), "9", "10")
    made.end_namespace("n")


def test_a_namespace_read_on_its_own_may_be_behind_the_watch() -> None:
    """What the watch told meanwhile counts, deletions included."""
    made = cache()
    made.begin_namespace("n")
    made.put(item("a", 9))
    made.put(item("b", 9))
    made.remove(item("b", 10).meta)
    assert made.put_read(item("a", 7)) is None
    assert made.put_read(item("b", 9)) is None
    made.end_namespace("n")
    assert [value for _, value in made.values()] == ["9"]


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.booleans()), max_size=30), st.data())
def test_reading_and_watching_at_once_end_at_the_same_state(
    history: list[tuple[str, bool]], data: st.DataObject
) -> None:
    """The read may show any moment, and its answer may come at any moment: in the end the cache holds what is there."""
    moments: list[dict[str, int]] = [{}]
    for version, (name, present) in enumerate(history, start=1):
        state = dict(moments[-1])
        if present:
            state[name] = version
        else:
            state.pop(name, None)
        moments.append(state)
    asked_at = data.draw(st.integers(0, len(history)))
    shown_at = data.draw(st.integers(asked_at, len(history)))  # never older than the question
    answered_at = data.draw(st.integers(asked_at, len(history)))
    made = cache()
    for number in range(len(history) + 1):
        if number == asked_at:
            made.begin_namespace("n")
        if number == answered_at:
            for read, version in moments[shown_at].items():
                made.put_read(item(read, version))
            made.end_namespace("n")
        if asked_at <= number < len(history):  # before that its events were not for us
            tell(made, *history[number], version=number + 1)
    assert {name.name: int(value) for name, value in made.values()} == moments[-1]


def tell(made: Cache[str], name: str, present: bool, *, version: int) -> None:
    """An event of the watch."""
    if present:
        made.put(item(name, version))
    else:
        made.remove(item(name, version).meta)
