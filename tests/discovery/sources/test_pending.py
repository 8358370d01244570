from __future__ import annotations

from math import inf

from discovery.sources.pending import Pending


def pending() -> Pending:
    return Pending(pause_s=2.0, at_most_s=5.0)


def test_what_is_moved_into_place_is_due_at_once() -> None:
    """Also if somebody writes to it afterwards; it is told once."""
    heard = pending()
    heard.placed("a")
    heard.written("a", 0.0)
    assert heard.take(0.0) == {"a"}
    assert heard.take(9.0) == frozenset()
    assert heard.next_at() == inf


def test_a_written_file_waits_for_its_writer_to_pause() -> None:
    """Each write puts it off."""
    heard = pending()
    heard.written("a", 0.0)
    heard.written("a", 1.0)
    assert heard.take(2.5) == frozenset()
    assert heard.next_at() == 3.0
    assert heard.take(3.0) == {"a"}


def test_a_writer_without_pause_does_not_put_it_off_for_ever() -> None:
    """The bound counts from the first write that was not looked at."""
    heard = pending()
    for second in range(5):
        heard.written("a", float(second))
    assert heard.take(5.0) == {"a"}
    heard.written("a", 6.0)
    assert heard.next_at() == 8.0


def test_files_do_not_wait_for_each_other() -> None:
    """Only what is due is told."""
    heard = pending()
    heard.written("slow", 0.0)
    heard.placed("quick")
    assert heard.take(0.0) == {"quick"}
    assert heard.take(2.0) == {"slow"}
