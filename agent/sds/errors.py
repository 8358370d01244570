"""What can go wrong with secrets.

RuntimeError
|- SecretError    a secret cannot be had now: files unusable, or no certificate from the CA
`- SigningError   the CA gave no certificate
"""

from __future__ import annotations

__all__ = ["SecretError", "SigningError"]


class SecretError(RuntimeError):
    """A secret cannot be had now; the text says why."""


class SigningError(RuntimeError):
    """The CA gave no certificate; the text says who was asked, what came back and what to look at."""
