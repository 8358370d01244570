from __future__ import annotations

from discovery.auth.errors import AuthError, ForbiddenError, UnauthenticatedError


def test_one_handler_catches_every_refusal() -> None:
    """A server can turn all of them into its own status."""
    assert issubclass(UnauthenticatedError, AuthError)
    assert issubclass(ForbiddenError, AuthError)
