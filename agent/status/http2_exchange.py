"""One request and its answer over HTTP/2 without I/O: bytes to send, bytes received.

A few frames by hand: who needs it (gRPC health checks, HTTPS probes) has to choose the address that it calls from, and
each connection carries one request.

Spec: https://www.rfc-editor.org/rfc/rfc9113
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from agent.status.hpack import encode_literal

__all__ = ["Exchange", "Http2Error"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 0x1, 0x1, 0x4, 0x8, 0x20
_FRAME_HEADER: Final = 9
_MAX_FRAME: Final = 16_384  # what a peer may send as long as nobody allows more
_MAX_BLOCK: Final = 64 * 1024
_STREAM: Final = 1
# No table of headers (setting 1), no pushed streams (setting 2).
_OUR_SETTINGS: Final = b"\0\1\0\0\0\0" + b"\0\2\0\0\0\0"


class Http2Error(RuntimeError):
    """The answer is no HTTP/2, or the server ended it; the text tells."""


class Exchange:
    """Send ``opening``, hand everything received to ``receive``, send what that gives back.

    Attributes:
        blocks: header blocks of the answer as they came: informational ones, the head, trailers.
        body: of the answer, so far.
        ended: whether the answer is complete.
    """

    def __init__(self, headers: Iterable[tuple[str, str]], body: bytes = b"") -> None:
        block = b"".join(encode_literal(name, value) for name, value in headers)
        pieces = [block[at : at + _MAX_FRAME] for at in range(0, len(block), _MAX_FRAME)]
        frames = [_PREFACE, _frame(_SETTINGS, 0, 0, _OUR_SETTINGS)]
        for number, piece in enumerate(pieces):
            flags = _END_HEADERS if number == len(pieces) - 1 else 0
            if number == 0 and not body:
                flags |= _END_STREAM
            frames.append(_frame(_CONTINUATION if number else _HEADERS, flags, _STREAM, piece))
        if body:
            frames.append(_frame(_DATA, _END_STREAM, _STREAM, body))
        self.opening = b"".join(frames)
        self.blocks: list[bytes] = []
        self.body = bytearray()
        self.ended = False
        self._pending = bytearray()
        self._block = bytearray()
        self._last_block = False

    def receive(self, data: bytes) -> bytes:
        """Take what came; gives what is to be sent.

        Raises:
            Http2Error: the answer is another one, or none.
        """
        self._pending += data
        reply = bytearray()
        while not self.ended and (frame := self._next_frame()) is not None:
            reply += self._on_frame(*frame)
        return bytes(reply)

    def _next_frame(self) -> tuple[int, int, int, bytes] | None:
        if len(self._pending) < _FRAME_HEADER:
            return None
        size = int.from_bytes(self._pending[:3], "big")
        if size > _MAX_FRAME:
            raise Http2Error("the answer is no HTTP/2")
        end = _FRAME_HEADER + size
        if len(self._pending) < end:
            return None
        kind, flags = self._pending[3], self._pending[4]
        stream = int.from_bytes(self._pending[5:9], "big") & 0x7FFF_FFFF
        payload = bytes(self._pending[_FRAME_HEADER:end])
        del self._pending[:end]
        return kind, flags, stream, payload

    def _on_frame(self, kind: int, flags: int, stream: int, payload: bytes) -> bytes:
        if kind == _SETTINGS and not flags & _ACK:
            return _frame(_SETTINGS, _ACK, 0)
        if kind == _PING and not flags & _ACK:
            return _frame(_PING, _ACK, 0, payload)
        if kind == _GOAWAY:
            raise Http2Error("the server goes away")
        if stream == _STREAM:
            self._on_our_stream(kind, flags, payload)
        return b""

    def _on_our_stream(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == _RESET:
            raise Http2Error("the server reset the call")
        if kind == _DATA:
            self.body += _unpadded(payload, flags)
            self.ended = bool(flags & _END_STREAM)
        elif kind in (_HEADERS, _CONTINUATION):
            if kind == _HEADERS:
                payload = _unpadded(payload, flags)[5 if flags & _PRIORITY else 0 :]
                self._last_block = bool(flags & _END_STREAM)
            self._block += payload
            if len(self._block) > _MAX_BLOCK:
                raise Http2Error(f"the answer has more than {_MAX_BLOCK} bytes of headers")
            if flags & _END_HEADERS:
                self.blocks.append(bytes(self._block))
                self._block.clear()
                self.ended = self._last_block


def _unpadded(payload: bytes, flags: int) -> bytes:
    return payload[1 : len(payload) - payload[0]] if flags & _PADDED and payload else payload


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload
