"""Messages on a pipe."""

from __future__ import annotations

import io

import pytest

from agent.x509 import frames
from agent.x509.frames import FrameError, frame, frame_size, read_frame


def test_round_trip() -> None:
    """Several messages, the empty one too, and then the end."""
    pipe = io.BytesIO(frame(b"one") + frame(b"") + frame(b"three"))
    assert [read_frame(pipe) for _ in range(4)] == [b"one", b"", b"three", None]


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_cut_message_is_an_error(cut: int) -> None:
    """A pipe that ends within a message lost something."""
    with pytest.raises(FrameError, match="ended"):
        read_frame(io.BytesIO(frame(b"one")[:cut]))


def test_length_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither written nor read beyond the limit."""
    monkeypatch.setattr(frames, "MAX_FRAME_BYTES", 3)
    assert frame_size(frame(b"123")[:4]) == 3
    with pytest.raises(FrameError, match="want at most 3"):
        frame(b"1234")
    with pytest.raises(FrameError, match="want at most 3"):
        frame_size(b"\0\0\0\4")
