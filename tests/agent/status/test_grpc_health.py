"""A health check without I/O; beside the real gRPC server in test_app_probes."""

from __future__ import annotations

import pytest

from agent.status.grpc_health import HealthCall, HealthError

SETTINGS = b"\0\0\0\4\0\0\0\0\0"
SETTINGS_ACK = b"\0\0\0\4\1\0\0\0\0"
PING = b"\0\0\x08\6\0\0\0\0\0" + b"12345678"
HEADERS = b"\0\0\1\1\4\0\0\0\1\x88"
TRAILERS = b"\0\0\1\1\5\0\0\0\1\x88"


def data(body: bytes, *, flags: int = 0) -> bytes:
    return len(body).to_bytes(3, "big") + bytes((0, flags)) + b"\0\0\0\1" + body


def message(status: int) -> bytes:
    return b"\0\0\0\0\2\x08" + bytes((status,))


def call() -> HealthCall:
    return HealthCall(authority="10.0.0.1:80", service="x" * 200)


def test_opening_asks_for_the_service() -> None:
    """Preface, settings, headers and the message, the stream then closed by us; long texts have long lengths."""
    opening = call().opening
    assert opening.startswith(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
    assert b"/grpc.health.v1.Health/Check" in opening
    assert opening.endswith(b"x" * 200)


def test_serving_is_success_however_it_is_cut() -> None:
    """Byte by byte, with settings and pings answered in between."""
    asked, replies = call(), b""
    for byte in SETTINGS + HEADERS + PING + data(message(1)) + TRAILERS:
        assert not asked.done
        replies += asked.receive(bytes((byte,)))
    assert asked.done
    assert replies == SETTINGS_ACK + b"\0\0\x08\6\1\0\0\0\0" + b"12345678"


def test_padding_is_not_body() -> None:
    """A padded frame tells its padding first."""
    asked = call()
    asked.receive(data(b"\3" + message(1) + b"\0\0\0", flags=0x8 | 0x1))
    assert asked.done


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (data(message(2), flags=1), "NOT_SERVING"),
        (data(message(9), flags=1), "the status is 9"),
        (data(b"\0\0\0\0\0", flags=1), "UNKNOWN"),
        (data(b"\0\0\0\0\5abc", flags=1), "malformed"),
        (data(b"\0\0\0\0\1\xff", flags=1), "malformed"),
        (TRAILERS, "the call failed"),
        (b"\0\0\4\3\0\0\0\0\1\0\0\0\1", "reset"),
        (b"\0\0\x08\7\0\0\0\0\0" + bytes(8), "goes away"),
        (b"HTTP/1.1 400 Bad Request\r\n", "speak gRPC"),
    ],
)
def test_everything_else_is_an_error(received: bytes, words: str) -> None:
    """Only SERVING is good; the text says what came instead."""
    with pytest.raises(HealthError, match=words):
        call().receive(received)
    assert "closed" in str(call().end())


def test_other_streams_do_not_matter() -> None:
    """What is not of our call is ignored."""
    asked = call()
    assert asked.receive(SETTINGS_ACK + b"\0\0\4\x08\0\0\0\0\0\0\0\0\1" + b"\0\0\4\3\0\0\0\0\3\0\0\0\1") == b""
    assert not asked.done
