"""Questions about keys and certificates, typed; who answers them is told at construction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from agent.x509.messages import (
    AcceptedChain,
    Answer,
    CheckChain,
    CheckedPair,
    CheckedRoots,
    CheckPair,
    CheckRoots,
    KeyWithRequest,
    MakeKey,
    Question,
    Refused,
    decode_answer,
    encode,
)
from certs.errors import CertsError

__all__ = ["X509"]

T = TypeVar("T", bound=Answer)


class X509:
    """Asks by ``exchange``, which takes an encoded question and gives the encoded answer.

    Every method raises ``CertsError`` when what it was given is unusable, or when nobody can answer.
    """

    def __init__(self, exchange: Callable[[bytes], Awaitable[bytes]]) -> None:
        self._exchange = exchange

    async def make_key(self, question: MakeKey) -> KeyWithRequest:
        """A new key with its signing request."""
        return await self._ask(question, KeyWithRequest)

    async def check_chain(self, chain: Sequence[str], key: bytes, *, now: datetime) -> AcceptedChain:
        """A CA's answer, once it is known to be for ``key``, complete and not expired."""
        return await self._ask(CheckChain(chain=tuple(chain), key=key, now=now), AcceptedChain)

    async def check_pair(self, chain: bytes, key: bytes, *, where: str) -> CheckedPair:
        """What is to be known of a pair that belongs together."""
        return await self._ask(CheckPair(chain=chain, key=key, where=where), CheckedPair)

    async def check_roots(self, *bundles: bytes, where: str, ordered: bool = False) -> CheckedRoots:
        """The usable roots of some PEM texts; ``ordered``: sorted, so that equal sets give equal bytes."""
        return await self._ask(CheckRoots(bundles=bundles, where=where, ordered=ordered), CheckedRoots)

    async def _ask(self, question: Question, wanted: type[T]) -> T:
        name = type(question).__name__
        try:
            found = decode_answer(await self._exchange(encode(question)))
        except msgspec.DecodeError as error:
            raise CertsError("X.509 process", f"its answer to {name} cannot be read: {error}") from error
        if isinstance(found, Refused):
            raise CertsError(found.where, found.what, hint=found.hint)
        if not isinstance(found, wanted):
            raise CertsError("X.509 process", f"answered {name} with {type(found).__name__}")
        return found
