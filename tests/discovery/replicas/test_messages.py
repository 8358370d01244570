"""Messages between replicas."""

from __future__ import annotations

import pytest

from discovery.replicas.messages import (
    Answer,
    Ask,
    Forget,
    MessageError,
    Question,
    Rejected,
    Told,
    decode_answers,
    decode_questions,
    encode,
    key_of,
    name_of,
)
from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery, RejectedResource

SIDECAR = ("Sidecar", "shop", "a")
BAD = RejectedResource(proxy="web-0.shop", type="Cluster", name="c", version="3", error="no")


def test_questions_arrive_as_they_were_asked() -> None:
    """In order, and several in one message."""
    asked: tuple[Question, ...] = (Ask(SIDECAR, 7), Forget(SIDECAR))
    assert decode_questions(encode(asked)) == asked


def test_answers_arrive_as_they_were_given() -> None:
    """With what proxies said."""
    said: tuple[Answer, ...] = (Told(SIDECAR, 7, Delivery(waiting=1, rejected=(BAD,))), Rejected(SIDECAR, BAD))
    assert decode_answers(encode(said)) == said


@pytest.mark.parametrize("data", [b"", b"{}", b'[{"is":"told"}]', b'[{"is":"else"}]', b'[{"is":"ask","about":["a"]}]'])
def test_what_is_no_message_is_refused(data: bytes) -> None:
    """With a text that says where."""
    with pytest.raises(MessageError, match="ours: "):
        decode_questions(data)
    with pytest.raises(MessageError, match="ours: "):
        decode_answers(data)


def test_names_lead_back_to_keys() -> None:
    """But for kinds that only another release knows."""
    key = ObjectKey(Kind.SIDECAR, "shop", "a")
    assert name_of(key) == SIDECAR
    assert key_of(SIDECAR) == key
    assert key_of(("Wormhole", "shop", "a")) is None
