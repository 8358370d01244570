"""Messages on a pipe: four bytes of length, most significant first, then as many bytes."""

from __future__ import annotations

from typing import BinaryIO, Final

__all__ = ["HEADER_BYTES", "MAX_FRAME_BYTES", "FrameError", "frame", "frame_size", "read_frame"]

HEADER_BYTES: Final = 4
MAX_FRAME_BYTES: Final = 16 << 20  # the largest trust bundles have some hundred kilobytes


class FrameError(ValueError):
    """The other side does not keep to the form; the text says how."""


def frame(message: bytes) -> bytes:
    """The message as it goes into the pipe.

    Raises:
        FrameError: it is too long.
    """
    if len(message) > MAX_FRAME_BYTES:
        raise FrameError(f"a message of {len(message)} bytes, want at most {MAX_FRAME_BYTES}")
    return len(message).to_bytes(HEADER_BYTES, "big") + message


def frame_size(header: bytes) -> int:
    """How many bytes follow.

    Raises:
        FrameError: too many.
    """
    size = int.from_bytes(header, "big")
    if size > MAX_FRAME_BYTES:
        raise FrameError(f"a message of {size} bytes is announced, want at most {MAX_FRAME_BYTES}")
    return size


def read_frame(pipe: BinaryIO) -> bytes | None:
    """The next message, None at the end. Blocks.

    Raises:
        FrameError: the pipe ends within a message, or announces too long a one.
    """
    header = pipe.read(HEADER_BYTES)
    if not header:
        return None
    size = frame_size(header) if len(header) == HEADER_BYTES else -1
    message = pipe.read(size) if size >= 0 else b""
    if len(message) != size:
        raise FrameError("the pipe ended within a message")
    return message
