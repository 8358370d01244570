"""Typed questions over any exchange."""

from __future__ import annotations

import pytest

from agent.x509.client import X509
from agent.x509.messages import Answer, CheckedRoots, Refused, encode
from certs.errors import CertsError
from tests.kit.inline_x509 import P256_KEY


def answering(data: Answer | bytes) -> X509:
    """Somebody who always says the same."""

    async def exchange(_question: bytes) -> bytes:
        return data if isinstance(data, bytes) else encode(data)

    return X509(exchange)


async def test_a_refusal_is_the_error_it_was() -> None:
    """Where, what and hint come over the pipe."""
    with pytest.raises(CertsError, match=r"^file: is broken; mend it$") as refused:
        await answering(Refused(where="file", what="is broken", hint="mend it")).make_key(P256_KEY)
    assert (refused.value.where, refused.value.what, refused.value.hint) == ("file", "is broken", "mend it")


@pytest.mark.parametrize("wrong", [b"\xc1", CheckedRoots(pem=b"")])
async def test_nonsense_is_an_error(wrong: Answer | bytes) -> None:
    """Garbage, or the answer to another question."""
    with pytest.raises(CertsError, match=r"X\.509 process"):
        await answering(wrong).make_key(P256_KEY)
