"""A rendered xDS resource: its bytes, and a version that is a hash of them.

Versions are content hashes, so they are equal on every replica and after every restart, and a proxy that reconnects
with what it has is sent nothing.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from discovery.wire.envoy import Message, serialize
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["Resource", "content_version", "resource"]


class Resource(msgspec.Struct, frozen=True, gc=False):
    """One resource as it goes on the wire."""

    name: str
    version: str  # content hash, 16 hex digits
    type_url: str
    value: bytes  # the serialised message

    def any_bytes(self) -> bytes:
        """``google.protobuf.Any{type_url, value}``, as state-of-the-world responses carry it."""
        return string_field(1, self.type_url) + bytes_field(2, self.value)

    def delta_bytes(self) -> bytes:
        """``envoy.service.discovery.v3.Resource{version, resource, name}``, as delta responses carry it."""
        return string_field(1, self.version) + bytes_field(2, self.any_bytes()) + string_field(3, self.name)


def content_version(value: bytes) -> str:
    """The version of these bytes: 64 bits of BLAKE2b in hexadecimal."""
    return blake2b(value, digest_size=8).hexdigest()


def resource(type_url: str, name: str, message: Message) -> Resource:
    """Serialise a message into a resource."""
    value = serialize(message)
    return Resource(name, content_version(value), type_url, value)
