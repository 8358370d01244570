from __future__ import annotations

import pytest

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.chain import AuthenticatorChain
from discovery.auth.errors import UnauthenticatedError
from tests.kit.certs import spiffe

CREDENTIALS = Credentials.read(Listener.PLAINTEXT, "peer", [])
ONE = Caller(kind=CallerKind.TOKEN, identities=(spiffe("one"),))
TWO = Caller(kind=CallerKind.TOKEN, identities=(spiffe("two"),))


class _Says:
    """An authenticator with one answer."""

    def __init__(self, answer: Caller | str | None) -> None:
        self._answer = answer

    async def authenticate(self, credentials: Credentials) -> Caller | None:
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
