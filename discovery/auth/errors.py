"""Why a caller is not let in.

    AuthError
    |- UnauthenticatedError  nobody vouches for the caller, or what it presented is wrong
    `- ForbiddenError        the caller is known, and claims to be somebody else

Texts are for our logs. What the caller is told is opaque, for a precise refusal helps only those who guess.
"""

from __future__ import annotations

__all__ = ["AuthError", "ForbiddenError", "UnauthenticatedError"]


class AuthError(Exception):
    """A caller is refused. The text holds no token and no certificate."""


class UnauthenticatedError(AuthError):
    """No authenticator accepted the caller."""


class ForbiddenError(AuthError):
    """The caller is somebody, but not who it claims to be."""
