"""What is asked of the X.509 process and what it answers: plain values, encoded as MessagePack.

Private keys travel in them, over pipes that no third process has; nothing here prints one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from certs.errors import Finding

__all__ = [
    "AcceptedChain",
    "Answer",
    "CheckChain",
    "CheckPair",
    "CheckRoots",
    "CheckedPair",
    "CheckedRoots",
    "KeyWithRequest",
    "MakeKey",
    "Question",
    "Refused",
    "decode_answer",
    "decode_question",
    "encode",
]


class MakeKey(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Generate a key and a signing request.

    Attributes:
        identity: the SPIFFE URI asked for.
        kind: ``RSA``, ``P256`` or ``P384``.
        rsa_bits: if it is RSA.
        key_format: ``traditional`` or ``pkcs8``.
    """

    identity: str
    kind: str
    rsa_bits: int
    key_format: str


class KeyWithRequest(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A new key and the request for its certificate, as PEM."""

    key: bytes
    csr: bytes

    def __repr__(self) -> str:
        return "KeyWithRequest()"


class CheckChain(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Judge what a CA answered to the request of ``key``: leaf, intermediates, and the root as the last element."""

    chain: tuple[str, ...]
    key: bytes
    now: datetime

    def __repr__(self) -> str:
        return f"CheckChain({len(self.chain)} elements)"


class AcceptedChain(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer in order: all of it as one PEM, its last element, and NotAfter of the leaf."""

    chain: bytes
    root: bytes
    expiry: datetime


class CheckPair(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Judge whether a key is that of a certificate chain; ``where`` names them in errors."""

    chain: bytes
    key: bytes
    where: str

    def __repr__(self) -> str:
        return f"CheckPair({self.where})"


class CheckedPair(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The pair belongs together; ``expiry`` is NotAfter of its leaf."""

    expiry: datetime


class CheckRoots(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Sift trusted roots out of PEM texts; ``ordered``: sort them, so that equal sets give equal bytes."""

    bundles: tuple[bytes, ...]
    where: str
    ordered: bool = False


class CheckedRoots(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The usable roots without repetition as PEM, and what was left out."""

    pem: bytes
    findings: tuple[Finding, ...] = ()


class Refused(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What was given is unusable: the parts of a ``CertsError``."""

    where: str
    what: str
    hint: str = ""


Question = MakeKey | CheckChain | CheckPair | CheckRoots
Answer = KeyWithRequest | AcceptedChain | CheckedPair | CheckedRoots | Refused

_QUESTIONS: Final = msgspec.msgpack.Decoder(Question)
_ANSWERS: Final = msgspec.msgpack.Decoder(Answer)


def encode(message: Question | Answer) -> bytes:
    """The bytes of a message."""
    return msgspec.msgpack.encode(message)


def decode_question(data: bytes) -> Question:
    """Read a question. Raises: msgspec.DecodeError."""
    question: Question = _QUESTIONS.decode(data)
    return question


def decode_answer(data: bytes) -> Answer:
    """Read an answer. Raises: msgspec.DecodeError."""
    answer: Answer = _ANSWERS.decode(data)
    return answer
