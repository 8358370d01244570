from __future__ import annotations

import msgspec
import pytest

from discovery.schema.message import Message, ProtoEnum
from discovery.schema.server_tls import TLSProtocol


def test_members_stand_in_the_order_of_their_numbers() -> None:
    """The wire number of an enum member is its place."""
    assert TLSProtocol.by_number(0) is TLSProtocol.TLS_AUTO
    assert TLSProtocol.by_number(3) is TLSProtocol.TLSV1_2
    assert TLSProtocol.by_number(5) is None
    assert TLSProtocol.by_number(-1) is None


def all_messages(base: type[Message] = Message) -> list[type[Message]]:
    return [cls for direct in base.__subclasses__() for cls in (direct, *all_messages(direct))]


def test_messages_are_frozen_values() -> None:
    """Whatever is decoded can be shared, compared and kept."""
    assert len(all_messages()) > 60
    for cls in all_messages():
        value = cls()
        assert value == cls()
        assert cls.__struct_config__.frozen
        for name in cls.__struct_fields__[:1]:
            with pytest.raises(AttributeError):
                setattr(value, name, None)


def test_oneofs_name_fields_that_are_none_when_not_set() -> None:
    """A member of a oneof is told apart from its empty value."""
    for cls in all_messages():
        for group in cls.oneofs:
            for name in group:
                assert name in cls.__struct_fields__
                default = getattr(cls(), name)
                assert default is None or (cls.__name__, name) == ("ProxyConfig", "service_cluster")


def test_enums_are_texts() -> None:
    """An enum member compares with its spelling."""
    assert issubclass(ProtoEnum, str)
    assert msgspec.to_builtins(TLSProtocol.TLSV1_2) == "TLSV1_2"
