"""Why a caller is not let in.

    AuthError
    |- UnauthenticatedError  nobody vouches for the caller, or what it presented is wrong
    |- UndecidedError        who could say is out of reach: not let in now, but worth another try
    `- ForbiddenError        the caller is known, and claims to be somebody else

Texts are for our logs. What the caller is told is opaque, for a precise refusal helps only those who guess.
"""

from __future__ import annotations

__all__ = ["AuthError", "ForbiddenError", "UnauthenticatedError", "UndecidedError"]


class AuthError(Exception):
    """A caller is refused. The text holds no token and no certificate."""


class UnauthenticatedError(AuthError):
    """No authenticator accepted the caller."""


class UndecidedError(AuthError):
    """What the caller presented cannot be verified at present; nothing speaks against it, but it is not let in."""


class ForbiddenError(AuthError):
    """The caller is somebody, but not who it claims to be."""
