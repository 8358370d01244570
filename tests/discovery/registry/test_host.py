"""Host patterns: wildcards stand for one or more leading labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.host import host_matches, is_wildcard, most_specific, patterns_overlap


@pytest.mark.parametrize(
    ("pattern", "host", "matches"),
    [
        ("a.example", "a.example", True),
        ("a.example", "b.example", False),
        ("*", "a.example", True),
        ("*.example", "a.example", True),
        ("*.example", "a.b.example", True),
        ("*.example", "example", False),
        ("*.example", "anexample", False),
        ("*.example", "*.a.example", True),
        ("*.a.example", "*.example", False),
        ("*", "*", True),
        ("a.example", "*.example", False),
    ],
)
def test_a_pattern_covers_names_below_it(pattern: str, host: str, *, matches: bool) -> None:
    """A wildcard is covered if all of its names are."""
    assert host_matches(pattern, host) is matches


def test_overlap_is_mutual() -> None:
    """One covers the other, whichever is named first."""
    assert patterns_overlap("*.example", "a.example")
    assert patterns_overlap("a.example", "*.example")
    assert not patterns_overlap("*.a.example", "*.b.example")


def test_the_closest_pattern_is_the_name_itself_else_the_longest_wildcard() -> None:
    """None where nothing covers the name."""
    patterns = ["*", "*.example", "*.a.example", "x.a.example"]
    assert most_specific("x.a.example", patterns) == "x.a.example"
    assert most_specific("y.a.example", patterns) == "*.a.example"
    assert most_specific("y.b.example", patterns) == "*.example"
    assert most_specific("other", patterns) == "*"
    assert most_specific("other", ["a"]) is None


labels = st.text("ab", min_size=1, max_size=2)
hosts = st.lists(labels, min_size=1, max_size=3).map(".".join)
patterns = hosts | hosts.map(lambda host: f"*.{host}") | st.just("*")


@given(patterns, patterns, hosts)
def test_covering_is_transitive(outer: str, inner: str, host: str) -> None:
    """What a covered pattern covers is covered."""
    if host_matches(outer, inner) and host_matches(inner, host):
        assert host_matches(outer, host)


def test_wildcards_begin_with_a_star() -> None:
    """Nowhere else does a star mean anything."""
    assert is_wildcard("*.a")
    assert not is_wildcard("a.*")
