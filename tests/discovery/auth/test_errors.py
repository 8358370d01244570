from __future__ import annotations

from discovery.auth.errors import AuthError, ForbiddenError, UnauthenticatedError, UndecidedError


def test_one_handler_catches_every_refusal() -> None:
    """A server can turn all of them into its own status."""
    assert issubclass(UnauthenticatedError, AuthError)
    assert issubclass(ForbiddenError, AuthError)
    assert issubclass(UndecidedError, AuthError)


def test_undecided_is_not_refused() -> None:
    """Who answers a refusal must not take the one for the other."""
    assert not issubclass(UndecidedError, UnauthenticatedError)
