"""What replicas say to each other: JSON lists, of questions one way and of answers the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec

from discovery.schema.meta import Kind, ObjectKey
from discovery.store.delivery import Delivery, RejectedResource

__all__ = [
    "METHOD",
    "SERVICE",
    "Answer",
    "Ask",
    "Forget",
    "MessageError",
    "Name",
    "Question",
    "Rejected",
    "Told",
    "decode_answers",
    "decode_questions",
    "encode",
    "key_of",
    "name_of",
]

SERVICE: Final = "pilotmesh.replicas.v1.Deliveries"
METHOD: Final = "Follow"

T = TypeVar("T")
Name = tuple[str, str, str]
"""Kind, namespace and name of an object. Text, as another release may know other kinds."""


class MessageError(ValueError):
    """What came is no message of ours; the text says where it is wrong."""


class Ask(msgspec.Struct, frozen=True, tag_field="is", tag="ask"):
    """Tell of this generation of an object, until all is well with it or it is forgotten."""

    about: Name
    generation: int


class Forget(msgspec.Struct, frozen=True, tag_field="is", tag="forget"):
    """The object is gone."""

    about: Name


class Told(msgspec.Struct, frozen=True, tag_field="is", tag="told"):
    """How far a generation of an object has got. It has not got anywhere until this is said."""

    about: Name
    generation: int
    delivery: Delivery


class Rejected(msgspec.Struct, frozen=True, tag_field="is", tag="rejected"):
    """A proxy rejected what was made of an object, whether or not that was asked about."""

    about: Name
    resource: RejectedResource


Question = Ask | Forget
Answer = Told | Rejected

_QUESTIONS: Final = msgspec.json.Decoder(tuple[Question, ...])
_ANSWERS: Final = msgspec.json.Decoder(tuple[Answer, ...])
_ENCODER: Final = msgspec.json.Encoder()


def name_of(key: ObjectKey) -> Name:
    """How an object is named to others."""
    return str(key.kind), key.namespace, key.name


def key_of(name: Name) -> ObjectKey | None:
    """The object of that name; None where we know no such kind."""
    try:
        return ObjectKey(Kind(name[0]), name[1], name[2])
    except ValueError:
        return None


def encode(messages: Iterable[Question | Answer]) -> bytes:
    """One gRPC message of several of ours."""
    return _ENCODER.encode(tuple(messages))


def decode_questions(data: bytes) -> tuple[Question, ...]:
    """What the leader wants to know.

    Raises:
        MessageError: it is not of that form.
    """
    return _decoded(_QUESTIONS, data, "questions")


def decode_answers(data: bytes) -> tuple[Answer, ...]:
    """What another replica says.

    Raises:
        MessageError: it is not of that form.
    """
    return _decoded(_ANSWERS, data, "answers")


def _decoded(decoder: msgspec.json.Decoder[T], data: bytes, what: str) -> T:
    try:
        return decoder.decode(data)
    except msgspec.MsgspecError as error:
        raise MessageError(f"no {what} of ours: {error}") from error
