"""What all API messages share: frozen structs under proto-JSON names, enums with numbers, and oneofs.

``proto_json`` reads documents into them; the classes themselves are plain data.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, ClassVar, Self

import msgspec

__all__ = ["Base64", "Message", "NonEmpty", "PortNumber", "ProtoEnum", "UInt32", "UInt64"]

UInt32 = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
UInt64 = Annotated[int, msgspec.Meta(ge=0, le=2**64 - 1)]
PortNumber = Annotated[int, msgspec.Meta(ge=1, le=65535)]
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Base64 = bytes  # under a name that a field called ``bytes`` does not hide


class Message(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """A message of the API with all of its fields: an unknown field is worth a warning.

    A field that is not written has the proto3 default: empty, zero, the enum's first member, or None for messages,
    wrappers, durations and members of a oneof. Data without reference cycles, hence outside the garbage collector.
    """

    oneofs: ClassVar[tuple[tuple[str, ...], ...]] = ()
    """Groups of attributes of which at most one may be set."""

    required: ClassVar[tuple[str, ...]] = ()
    """Attributes that must be written; the generated CRD asks for them too."""


class ProtoEnum(StrEnum):
    """An enum of the API: the value is its spelling, members stand in the order of their numbers from 0."""

    @classmethod
    def by_number(cls, number: int) -> Self | None:
        """The member with that number on the wire; proto-JSON accepts numbers too."""
        members = list(cls)
        return members[number] if 0 <= number < len(members) else None
