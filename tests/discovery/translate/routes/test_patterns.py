"""Looking up wildcards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.host import host_matches, most_specific
from discovery.translate.routes.patterns import Patterns

LABEL = st.sampled_from(["a", "b", "ab", "x-a"])
HOST = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
PATTERN = st.one_of(st.just("*"), HOST.map("*.{}".format), HOST.map("*-{}".format))


@given(st.one_of(HOST, PATTERN), st.sets(PATTERN, max_size=6))
def test_agrees_with_matching_one_by_one(host: str, patterns: set[str]) -> None:
    """The lookup by labels finds just what trying every pattern finds, and the same one as best."""
    index = Patterns(patterns)
    assert set(index.covering(host)) == {pattern for pattern in patterns if host_matches(pattern, host)}
    best, expected = index.best(host), most_specific(host, patterns)
    assert (best is None) == (expected is None)
    if best is not None and expected is not None:
        assert len(best) == len(expected)


def test_empty() -> None:
    """No patterns cover nothing."""
    assert not Patterns(())
    assert Patterns(("*",))
    assert Patterns(()).best("a") is None
