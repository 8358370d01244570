"""Limits of the C heap."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from discovery.runtime.memory import keep_heap_small, trim_heap


@pytest.mark.parametrize(("answer", "applied"), [(1, True), (0, False)])
def test_all_limits_are_set(answer: int, *, applied: bool) -> None:
    """Arenas, mmap and trim thresholds are all given; a refusal is told."""
    given: dict[int, int] = {}

    def mallopt(option: int, value: int) -> int:
        given[option] = value
        return answer

    assert keep_heap_small(lambda _name: SimpleNamespace(mallopt=mallopt)) is applied
    assert given[-8] == 1


def test_other_c_libraries_are_left_alone() -> None:
    """Where there is no such call nothing is done."""
    assert not keep_heap_small(lambda _name: SimpleNamespace())


def test_free_pages_are_given_back() -> None:
    """All of them, where the C library can; elsewhere nothing happens."""
    asked: list[int] = []
    assert trim_heap(lambda _: SimpleNamespace(malloc_trim=asked.append))
    assert asked == [0]
    assert not trim_heap(lambda _: SimpleNamespace())
