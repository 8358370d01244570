"""Header blocks of HTTP/2 answers, as far as a probe needs them: status, redirect, kind of content.

We allow servers no dynamic table, so a block stands for itself. Names that no probe looks at are left empty.

Spec: https://www.rfc-editor.org/rfc/rfc7541
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Final

__all__ = ["HpackError", "decode_block", "encode_literal"]

# Appendix A, the entries that matter; the table has 61.
_STATIC_SIZE: Final = 61
_STATUS: Final = dict(enumerate(("200", "204", "206", "304", "400", "404", "500"), start=8))
_NAMES: Final = {**dict.fromkeys(_STATUS, ":status"), 31: "content-type", 46: "location"}

# Appendix B: how long each symbol's code is, from "A" for 5 bits; codes of one length count up in the order of symbols,
# and each length goes on where the one before ended.
_CODE_LENGTHS: Final = (
    "ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABC"
    "BAABCCCCCKGJIXPRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQR"
    "QQSRRUUTTVSVWVVWWWWWXWWWWWVZ"
)
_SHORTEST: Final = 5
_MAX_PADDING: Final = 7
_END: Final = 256


class HpackError(ValueError):
    """The block is malformed, or refers to a table that was not allowed."""


@cache
def _codes() -> Mapping[tuple[int, int], int]:
    """Symbol by length and code."""
    lengths = [ord(letter) - ord("A") + _SHORTEST for letter in _CODE_LENGTHS]
    found, code, previous = {}, 0, _SHORTEST
    for length, symbol in sorted((length, symbol) for symbol, length in enumerate(lengths)):
        code <<= length - previous
        found[length, code] = symbol
        code, previous = code + 1, length
    return found


def decode_block(block: bytes) -> list[tuple[str, str]]:
    """Names and values in order.

    Raises:
        HpackError: it is malformed.
    """
    found, at = [], 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = _integer(block, at, 7)
            found.append(_indexed(index))
        elif first & 0xE0 == 0x20:  # a change of the table's size, which is nothing
            _, at = _integer(block, at, 5)
        else:
            index, at = _integer(block, at, 6 if first & 0x40 else 4)
            if index:
                name = _name(index)
            else:
                name, at = _string(block, at)
            value, at = _string(block, at)
            found.append((name, value))
    return found


def encode_literal(name: str, value: str) -> bytes:
    """A header that enters no table and is not compressed. Spec: section 6.2.2."""
    return b"\0" + _encode_string(name) + _encode_string(value)


def _encode_string(text: str) -> bytes:
    data = text.encode("latin-1")
    size = len(data)
    if size < 127:
        return bytes((size,)) + data
    rest, encoded = size - 127, bytearray((127,))
    while rest >= 128:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded) + data


def _name(index: int) -> str:
    if not 0 < index <= _STATIC_SIZE:
        raise HpackError(f"header refers to entry {index} of a table of {_STATIC_SIZE}")
    return _NAMES.get(index, "")


def _indexed(index: int) -> tuple[str, str]:
    return _name(index), _STATUS.get(index, "")


def _integer(block: bytes, at: int, bits: int) -> tuple[int, int]:
    """Section 5.1: a number that begins in the low bits of a byte, and where it ends."""
    limit = (1 << bits) - 1
    value, at = block[at] & limit, at + 1
    if value < limit:
        return value, at
    for shift in range(0, 28, 7):
        if at >= len(block):
            break
        byte, at = block[at], at + 1
        value += (byte & 0x7F) << shift
        if byte < 128:
            return value, at
    raise HpackError("a number in a header block has no end")


def _string(block: bytes, at: int) -> tuple[str, int]:
    """Section 5.2."""
    if at >= len(block):
        raise HpackError("a header block ends within a header")
    compressed = bool(block[at] & 0x80)
    size, at = _integer(block, at, 7)
    data = block[at : at + size]
    if len(data) < size:
        raise HpackError("a header block ends within a text")
    return (_expand(data) if compressed else data).decode("latin-1"), at + size


def _expand(data: bytes) -> bytes:
    codes, text = _codes(), bytearray()
    code = length = 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            symbol = codes.get((length, code))
            if symbol == _END:
                raise HpackError("a compressed text contains its end mark")
            if symbol is not None:
                text.append(symbol)
                code = length = 0
    if length > _MAX_PADDING or code != (1 << length) - 1:
        raise HpackError("a compressed text ends within a symbol")
    return bytes(text)
