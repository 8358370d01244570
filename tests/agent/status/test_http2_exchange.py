"""Frames of one exchange; the usual answers are in test_grpc_health, a real server in test_probe_http."""

from __future__ import annotations

import pytest

from agent.status.http2_exchange import Exchange, Http2Error


def frame(kind: int, flags: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + b"\0\0\0\1" + payload


def test_a_request_without_a_body_ends_with_its_headers() -> None:
    """Settings forbid a table of headers and pushed streams."""
    opening = Exchange([(":method", "GET")]).opening
    assert b"\0\1\0\0\0\0\0\2\0\0\0\0" in opening
    assert opening.endswith(b"\1\5\0\0\0\1" + b"\0\7:method\3GET")


def test_large_headers_are_cut() -> None:
    """Into frames as large as a peer has to take; the last one says so."""
    opening = Exchange([("x", "y" * 20_000)], b"body").opening
    at = opening.index(b"\x00\x40\x00\x01\x00")
    assert opening[at + 9 + 16_384 + 3 : at + 9 + 16_384 + 5] == b"\x09\x04"
    assert opening.endswith(frame(0, 1, b"body"))


def test_headers_in_pieces_with_padding_and_priority() -> None:
    """Neither is part of the block; informational answers and trailers are blocks of their own."""
    exchange = Exchange([(":method", "GET")])
    exchange.receive(frame(1, 4, b"\x48\x03103"))
    exchange.receive(frame(1, 0x28, b"\2" + b"\0\0\0\0\0" + b"\x88" + b"\0\0") + frame(9, 4, b"\x10"))
    ended = []
    for piece in (frame(0, 0, b"ab"), frame(1, 5, b"\x8d")):
        exchange.receive(piece)
        ended.append(exchange.ended)
    assert ended == [False, True]
    assert exchange.blocks == [b"\x48\x03103", b"\x88\x10", b"\x8d"]
    assert exchange.body == b"ab"


def test_headers_are_bounded() -> None:
    """A server that never ends them is told from one that answers."""
    exchange = Exchange([(":method", "GET")])
    exchange.receive(frame(1, 0, bytes(16_384)))
    with pytest.raises(Http2Error, match="65536 bytes of headers"):
        exchange.receive(frame(9, 0, bytes(16_384)) * 4)
