"""What RE2 takes, judged without RE2."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.validation.regexes import check_regex, regex_fault


def test_a_fault_names_what_is_wrong() -> None:
    """As a problem at its path."""
    (problem,) = check_regex("(a", "spec.x")
    assert problem.path == "spec.x"
    assert list(check_regex("a+", "spec.x")) == []


@given(st.text(max_size=30))
def test_any_text_is_judged(pattern: str) -> None:
    """No pattern makes the judge fail."""
    assert isinstance(regex_fault(pattern), str)


@given(st.text("abc/._-", max_size=20))
def test_plain_text_is_no_fault(pattern: str) -> None:
    """Letters, slashes and dots are patterns as they are."""
    assert regex_fault(pattern) == ""
