"""The protobuf wire format, as far as splicing and peeking need it: varints and length-prefixed fields.

A push is assembled from ready fragments, and the agent looks only at the type URL of what it relays; for both, building
whole messages would cost more than everything else together.

Spec: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["bytes_field", "fields", "string_field", "uint_field", "varint"]

_BYTES: Final = tuple(bytes((value,)) for value in range(0x80))
# What stands before a length-prefixed field of a number below 16 and a size below 128.
_HEADS: Final = tuple(tuple(bytes((number << 3 | 2, size)) for size in range(0x80)) for number in range(16))


def varint(value: int) -> bytes:
    """Encode an unsigned integer, seven bits a byte, least significant first."""
    if 0 <= value < 0x80:
        return _BYTES[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-prefixed field (bytes, string or message); written even when empty."""
    size = len(value)
    if number < 16:  # most are, and short; a push splices thousands
        if size < 0x80:
            return _HEADS[number][size] + value
        if size < 0x4000:
            return bytes((number << 3 | 2, size & 0x7F | 0x80, size >> 7)) + value
    return varint(number << 3 | 2) + varint(size) + value


def string_field(number: int, value: str) -> bytes:
    """A string field; empty strings are left out, as proto3 does."""
    if not value:
        return b""
    data = value.encode()
    size = len(data)
    if size < 0x80 and number < 16:
        return _HEADS[number][size] + data
    return varint(number << 3 | 2) + varint(size) + data


def uint_field(number: int, value: int) -> bytes:
    """A varint field (uint, bool, enum); zero is left out, as proto3 does."""
    return varint(number << 3) + varint(value) if value else b""


def _read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data):
            raise ValueError("truncated protobuf: a varint runs past the end of the message")
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError("malformed protobuf: a varint is longer than 10 bytes")


def fields(data: bytes | memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Walk the top-level fields of a message as ``(field number, value)``.

    Varint and fixed fields give integers, length-prefixed fields a view of their bytes (no copy).

    Raises:
        ValueError: the bytes are truncated or no protobuf message.
    """
    view = memoryview(data)
    at = 0
    while at < len(view):
        tag, at = _read_varint(view, at)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise ValueError("malformed protobuf: field number 0")
        if wire_type == 0:
            value, at = _read_varint(view, at)
            yield number, value
            continue
        if wire_type == 2:
            size, at = _read_varint(view, at)
        elif wire_type in (1, 5):
            size = 8 if wire_type == 1 else 4
        else:
            raise ValueError(f"malformed protobuf: wire type {wire_type} in field {number}")
        if at + size > len(view):
            raise ValueError(f"truncated protobuf: field {number} wants {size} bytes, {len(view) - at} are left")
        chunk = view[at : at + size]
        at += size
        yield number, chunk if wire_type == 2 else int.from_bytes(chunk, "little")
