"""A client waits once, in its place, for all its changes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.xds.push_queue import PushQueue


def test_changes_of_a_waiting_client_merge() -> None:
    """It keeps its place and the time of its oldest change."""
    queue: PushQueue[str] = PushQueue()
    assert queue.add("a", 1.0)
    assert queue.add("b", 2.0)
    assert not queue.add("a", 3.0)
    assert queue.take(10) == [("a", 1.0), ("b", 2.0)]
    assert queue.add("a", 4.0)


def test_a_client_that_is_gone_is_not_pushed_to() -> None:
    """Nor is it an error that it never waited."""
    queue: PushQueue[str] = PushQueue()
    queue.add("a", 1.0)
    queue.discard("a")
    queue.discard("b")
    assert queue.take(1) == []


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 3)), max_size=40))
def test_nobody_is_lost_and_nobody_overtakes(steps: list[tuple[str, int]]) -> None:
    """Whatever is added comes out, in order of the first time it was added."""
    queue: PushQueue[str] = PushQueue()
    waiting: list[str] = []
    for client, most in steps:
        if queue.add(client, 0.0):
            waiting.append(client)
        taken = [name for name, _ in queue.take(most)]
        assert taken == waiting[:most]
        waiting = waiting[most:]
        assert len(queue) == len(waiting)
