"""Questions and answers on the wire."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from agent.x509.messages import (
    AcceptedChain,
    CheckChain,
    CheckedPair,
    CheckedRoots,
    CheckPair,
    CheckRoots,
    KeyWithRequest,
    MakeKey,
    Refused,
    decode_answer,
    decode_question,
    encode,
)
from certs.errors import Finding

NOW = datetime(2026, 1, 2, tzinfo=UTC)
QUESTIONS = (
    MakeKey(identity="spiffe://a/ns/b/sa/c", kind="RSA", rsa_bits=2048, key_format="pkcs8"),
    CheckChain(chain=("a", "b"), key=b"secret", now=NOW),
    CheckPair(chain=b"c", key=b"secret", where="here"),
    CheckRoots(bundles=(b"1", b"2"), where="there", ordered=True),
)
ANSWERS = (
    KeyWithRequest(key=b"secret", csr=b"r"),
    AcceptedChain(chain=b"c", root=b"r", expiry=NOW),
    CheckedPair(expiry=NOW),
    CheckedRoots(pem=b"p", findings=(Finding("a", "b"),)),
    Refused(where="a", what="b", hint="c"),
)


def test_round_trip() -> None:
    """What is encoded is decoded; a question is no answer."""
    assert [decode_question(encode(question)) for question in QUESTIONS] == list(QUESTIONS)
    assert [decode_answer(encode(answer)) for answer in ANSWERS] == list(ANSWERS)
    with pytest.raises(msgspec.DecodeError):
        decode_answer(encode(QUESTIONS[0]))


def test_keys_are_not_printed() -> None:
    """A message in a log or a traceback must not hold a private key."""
    assert "secret" not in repr([*QUESTIONS, *ANSWERS])
