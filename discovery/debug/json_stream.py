"""JSON answers of any size in pieces, so that neither memory nor the event loop pays for a large one at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

import msgspec

__all__ = ["Living", "Rows", "batch", "render_json"]

_INDENT: Final = b"  "


class Rows(msgspec.Struct, frozen=True):
    """A list whose items are made one by one, while the answer is being written."""

    items: Iterable[Any]


class Living(msgspec.Struct, frozen=True):
    """An answer whose rows read state that the event loop owns: they are made there, a few at a time."""

    value: Any


def render_json(value: Any, *, pretty: bool) -> Iterator[bytes]:
    """The value as JSON text in pieces, at least one for each row of ``Rows`` in it; ends with a line feed if pretty.

    ``Rows`` may stand wherever dictionaries and lists alone lead to them.
    """
    yield from _render(value, b"\n" if pretty else b"")
    if pretty:
        yield b"\n"


def batch(pieces: Iterator[bytes], *, size_bytes: int, enough: Callable[[], bool] = lambda: False) -> bytes:
    """The next pieces, joined: up to a size, or until there is enough; empty when there are none left."""
    taken: list[bytes] = []
    size = 0
    for piece in pieces:
        taken.append(piece)
        size += len(piece)
        if size >= size_bytes or enough():
            break
    return b"".join(taken)


def _render(value: Any, line: bytes) -> Iterator[bytes]:
    """``line``: what starts a line at the present depth; empty where there are no lines."""
    if isinstance(value, Rows):
        yield from _enclosed(b"[", (_render(item, _deeper(line)) for item in value.items), b"]", line)
    elif not _has_rows(value):
        text = msgspec.json.encode(value, enc_hook=str)
        yield msgspec.json.format(text, indent=len(_INDENT)).replace(b"\n", line) if line else text
    elif isinstance(value, dict):
        yield from _enclosed(b"{", (_member(key, item, line) for key, item in value.items()), b"}", line)
    else:
        yield from _enclosed(b"[", (_render(item, _deeper(line)) for item in value), b"]", line)


def _deeper(line: bytes) -> bytes:
    return line + _INDENT if line else line


def _member(key: str, value: Any, line: bytes) -> Iterator[bytes]:
    yield msgspec.json.encode(key) + (b": " if line else b":")
    yield from _render(value, _deeper(line))


def _enclosed(opening: bytes, members: Iterable[Iterator[bytes]], closing: bytes, line: bytes) -> Iterator[bytes]:
    yield opening
    empty = True
    for member in members:
        yield _deeper(line) if empty else b"," + _deeper(line)
        yield from member
        empty = False
    yield closing if empty else line + closing


def _has_rows(value: Any) -> bool:
    """Whether rows are to be found; containers that lead to them are small, so this does not look far."""
    if isinstance(value, Rows):
        return True
    if isinstance(value, dict):
        return any(isinstance(item, Rows | dict | list) and _has_rows(item) for item in value.values())
    return isinstance(value, list) and any(isinstance(item, Rows | dict | list) and _has_rows(item) for item in value)
