"""Authenticators behind one interface, asked in order; the first that succeeds decides.

An authenticator that finds nothing of its kind says so by None; one that finds a wrong proof raises, and the next is
asked all the same: a pod with an expired certificate and a fresh token is let in by the token. Where one cannot decide
at present and no other succeeds, that is what the caller is told, so that it tries again instead of giving up.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from discovery.auth.caller import Caller, Credentials
from discovery.auth.errors import UnauthenticatedError, UndecidedError

__all__ = ["Authenticator", "AuthenticatorChain", "Gatekeeper"]


class Authenticator(Protocol):
    """One way to prove who is calling."""

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        """The caller, or None where the request presents nothing of this kind.

        Raises:
            UnauthenticatedError: it presents something of this kind, and it is wrong.
            UndecidedError: it presents something of this kind that cannot be verified now.
        """


class Gatekeeper(Protocol):
    """Says who is calling, whatever proves it; `AuthenticatorChain` is one."""

    async def authenticate(self, credentials: Credentials) -> Caller:
        """The caller.

        Raises:
            UnauthenticatedError: nobody vouches for it.
            UndecidedError: who could is out of reach.
        """


class AuthenticatorChain:
    """An authenticator made of others."""

    def __init__(self, authenticators: Sequence[Authenticator]) -> None:
        self._authenticators = tuple(authenticators)

    async def authenticate(self, credentials: Credentials) -> Caller:
        """The caller according to the first that succeeds.

        Raises:
            UnauthenticatedError: none did; the text says what each had against the caller.
            UndecidedError: none did, but one could not say.
        """
        refusals = []
        undecided: UndecidedError | None = None
        for authenticator in self._authenticators:
            try:
                caller = await authenticator.authenticate(credentials)
            except UnauthenticatedError as refusal:
                refusals.append(str(refusal))
                continue
            except UndecidedError as error:
                undecided = undecided or error
                continue
            if caller is not None:
                return caller
        if undecided is not None:
            raise undecided
        raise UnauthenticatedError("; ".join(refusals) or "neither a token nor a client certificate was presented")
