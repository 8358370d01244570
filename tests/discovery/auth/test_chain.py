from __future__ import annotations

import pytest

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.chain import AuthenticatorChain
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from tests.kit.certs import spiffe

CREDENTIALS = Credentials.read(Listener.PLAINTEXT, "peer", [])
ONE = Caller(kind=CallerKind.TOKEN, identities=(spiffe("one"),))
TWO = Caller(kind=CallerKind.TOKEN, identities=(spiffe("two"),))


class _Says:
    """An authenticator with one answer."""

    def __init__(self, answer: Caller | str | Exception | None) -> None:
        self._answer = answer

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        if isinstance(self._answer, Exception):
            raise self._answer
        if isinstance(self._answer, str):
            raise UnauthenticatedError(self._answer)
        return self._answer


@pytest.mark.parametrize(
    ("answers", "caller"),
    [([ONE, TWO], ONE), ([None, TWO], TWO), (["expired", TWO], TWO), ([ONE, "expired"], ONE)],
)
async def test_first_success_wins(answers: list[Caller | str | None], caller: Caller) -> None:
    """Absent and wrong proofs let the next one be asked; later ones are not."""
    assert await AuthenticatorChain([_Says(answer) for answer in answers]).authenticate(CREDENTIALS) == caller


@pytest.mark.parametrize(
    ("answers", "says"),
    [([], "neither a token"), ([None, None], "neither a token"), (["expired", None, "forged"], "expired; forged")],
)
async def test_no_success_is_a_refusal(answers: list[Caller | str | None], says: str) -> None:
    """Nobody vouches: refused, with every reason for the operator."""
    with pytest.raises(UnauthenticatedError, match=says):
        await AuthenticatorChain([_Says(answer) for answer in answers]).authenticate(CREDENTIALS)


async def test_a_later_success_outweighs_what_could_not_be_decided() -> None:
    """A client certificate counts although nobody can be asked about the token."""
    chain = AuthenticatorChain([_Says(UndecidedError("away")), _Says(TWO)])
    assert await chain.authenticate(CREDENTIALS) == TWO


@pytest.mark.parametrize("other", ["forged", None])
async def test_without_a_success_what_could_not_be_decided_is_told(other: str | None) -> None:
    """The caller is to try again; another proof being wrong is no reason to give up."""
    chain = AuthenticatorChain([_Says(other), _Says(UndecidedError("away")), _Says(other)])
    with pytest.raises(UndecidedError, match="away"):
        await chain.authenticate(CREDENTIALS)
