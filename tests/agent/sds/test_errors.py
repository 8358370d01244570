"""The tree of errors of secrets."""

from __future__ import annotations

from agent.sds import errors


def test_errors_are_no_values_of_the_user() -> None:
    """Both are failures of running parts, so a caller may catch them apart from wrong input (ValueError)."""
    assert not any(issubclass(getattr(errors, name), ValueError) for name in errors.__all__)
