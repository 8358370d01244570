"""One call of ``grpc.health.v1.Health/Check`` without I/O: bytes to send, bytes received, a verdict.

A dozen HTTP/2 frames by hand, because gRPC's own client cannot choose the address that it calls from, and in a pod all
depends on that address. Header compression is not decoded: that the answer's message says SERVING is all that counts.

Spec: https://www.rfc-editor.org/rfc/rfc9113, https://github.com/grpc/grpc/blob/master/doc/health-checking.md
"""

from __future__ import annotations

from typing import Final

from discovery.wire.protowire import fields, string_field

__all__ = ["HealthCall", "HealthError"]

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK, _END_HEADERS, _PADDED = 0x1, 0x1, 0x4, 0x8
_FRAME_HEADER: Final = 9
_MAX_FRAME: Final = 16_384  # what a peer may send as long as nobody allows more
_STREAM: Final = 1
_SERVING: Final = 1
_STATUS_NAMES: Final = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class HealthError(RuntimeError):
    """The service is not healthy, or does not say so; the text tells."""


class HealthCall:
    """The call: send ``opening``, hand everything received to ``receive``, send what that gives back."""

    def __init__(self, *, authority: str, service: str) -> None:
        message = string_field(1, service)
        headers = b"".join(
            _literal(name, value)
            for name, value in (
                (":method", "POST"),
                (":scheme", "http"),
                (":path", "/grpc.health.v1.Health/Check"),
                (":authority", authority),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("user-agent", "pilot-agent"),
            )
        )
        body = b"\0" + len(message).to_bytes(4, "big") + message
        self.opening = (
            _PREFACE
            + _frame(_SETTINGS, 0, 0)
            + _frame(_HEADERS, _END_HEADERS, _STREAM, headers)
            + _frame(_DATA, _END_STREAM, _STREAM, body)
        )
        self.done = False
        self._pending = bytearray()
        self._body = bytearray()

    def receive(self, data: bytes) -> bytes:
        """Take what came; gives what is to be sent. Once the answer is complete and good, ``done`` is true.

        Raises:
            HealthError: the answer is another one, or none.
        """
        self._pending += data
        reply = bytearray()
        while not self.done and (frame := self._next_frame()) is not None:
            reply += self._on_frame(*frame)
        return bytes(reply)

    def end(self) -> HealthError:
        """What it means that the connection was closed before the answer was complete."""
        return HealthError("the connection was closed without an answer; does this port speak gRPC in plaintext?")

    def _next_frame(self) -> tuple[int, int, int, bytes] | None:
        if len(self._pending) < _FRAME_HEADER:
            return None
        size = int.from_bytes(self._pending[:3], "big")
        if size > _MAX_FRAME:
            raise HealthError("the answer is no HTTP/2; does this port speak gRPC in plaintext?")
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
            raise HealthError("the server goes away")
        if stream != _STREAM:
            return b""
        if kind == _RESET:
            raise HealthError("the server reset the call")
        if kind == _DATA:
            self._body += payload[1 : len(payload) - payload[0]] if flags & _PADDED and payload else payload
        if kind in (_DATA, _HEADERS) and flags & _END_STREAM:
            self._judge()
        return b""

    def _judge(self) -> None:
        body = bytes(self._body)
        if not body:
            raise HealthError("the call failed; is grpc.health.v1.Health served, and the service known to it?")
        size = int.from_bytes(body[1:5], "big")
        if body[0] != 0 or len(body) != 5 + size:
            raise HealthError("the answer is malformed")
        try:
            status = next((value for number, value in fields(body[5:]) if number == 1), 0)
        except ValueError as error:
            raise HealthError(f"the answer is malformed: {error}") from error
        if status != _SERVING:
            name = _STATUS_NAMES.get(status, str(status)) if isinstance(status, int) else "malformed"
            raise HealthError(f"the status is {name}, want SERVING")
        self.done = True


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _literal(name: str, value: str) -> bytes:
    """A header that enters no table and is not compressed. Spec: RFC 7541, section 6.2.2."""
    return b"\0" + _text(name) + _text(value)


def _text(text: str) -> bytes:
    data = text.encode()
    return _length(len(data)) + data


def _length(size: int) -> bytes:
    """An integer with a prefix of seven bits. Spec: RFC 7541, section 5.1."""
    if size < 127:
        return bytes((size,))
    rest, encoded = size - 127, bytearray((127,))
    while rest >= 128:
        encoded.append(rest & 0x7F | 0x80)
        rest >>= 7
    encoded.append(rest)
    return bytes(encoded)
