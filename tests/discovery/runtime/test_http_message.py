from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.runtime.http_message import (
    CHUNKED,
    UNTIL_CLOSE,
    HttpError,
    Request,
    Response,
    parse_request_head,
    parse_response_head,
    render_request,
    render_response,
    request_body_size,
    response_body_size,
)

_TOKENS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=12)
_VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30).map(str.strip)
_FRAMING = frozenset({"content-length", "transfer-encoding", "host", "connection", "expect"})


def _head(*lines: str) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _outcome(data: bytes) -> Request | HttpError:
    try:
        request = parse_request_head(data)
        request_body_size(request)
    except HttpError as error:
        return error
    return request


@given(st.binary(max_size=300))
def test_any_bytes_give_a_request_or_an_error(data: bytes) -> None:
    """Nothing but HttpError ever comes out of the parser, and what it accepts is well-formed."""
    outcome = _outcome(data + b"\r\n\r\n")
    assert 400 <= outcome.status < 600 if isinstance(outcome, HttpError) else outcome.path.startswith("/")


@given(
    st.from_regex(rb"(GET|POST) /[!-~]{0,20} HTTP/1\.[01]\r\n(Host|Content-Length|Transfer-Encoding|X): ?\S{0,9}\r\n")
)
def test_almost_right_bytes_give_a_request_or_an_error(data: bytes) -> None:
    """The same near the grammar, where the mistakes are."""
    outcome = _outcome(data + b"\r\n")
    assert outcome.reason if isinstance(outcome, HttpError) else outcome.path.startswith("/")


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    path=st.text(string.ascii_letters + string.digits + "/._~%-", max_size=20).map(lambda text: "/" + text),
    headers=st.lists(st.tuples(_TOKENS.map(str.lower).filter(lambda name: name not in _FRAMING), _VALUES), max_size=5),
    body=st.binary(max_size=50),
)
def test_what_we_send_we_read(method: str, path: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """Rendering and parsing are inverse."""
    data = render_request(method, path, host="h", headers=tuple(headers), body=body)
    head, _, rest = data.partition(b"\r\n\r\n")
    request = parse_request_head(head + b"\r\n\r\n")
    assert (request.method, request.path) == (method, path)
    assert [pair for pair in request.headers if pair[0] not in _FRAMING] == headers
    assert request_body_size(request) == len(body)
    assert rest == body


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(
            ("GET / HTTP/1.1", "Host: a", "Content-Length: 3", "Transfer-Encoding: chunked"), id="both framings"
        ),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length: 3", "Content-Length: 3"), id="length twice"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length: 3, 3"), id="length list"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length: +3"), id="signed length"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length: 0x3"), id="hex length"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length: \xb3"), id="superscript digit"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length:"), id="empty length"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Content-Length : 3"), id="space before colon"),
        pytest.param(("GET / HTTP/1.1", "Host: a", " folded: 3"), id="folded line"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "X: a\nContent-Length: 3"), id="bare line feed"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "X: a\rb"), id="bare carriage return"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "X: a\0"), id="nul"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: chunked, chunked"), id="chunked twice"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Transfer-Encoding: xchunked"), id="unknown coding"),
        pytest.param(("GET / HTTP/1.0", "Transfer-Encoding: chunked"), id="chunked in 1.0"),
        pytest.param(("GET / HTTP/1.1",), id="no host"),
        pytest.param(("GET / HTTP/1.1", "Host: a", "Host: a"), id="two hosts"),
        pytest.param(("GET / HTTP/2.0", "Host: a"), id="version 2"),
        pytest.param(("GET  / HTTP/1.1", "Host: a"), id="two spaces"),
        pytest.param(("GET x HTTP/1.1", "Host: a"), id="relative target"),
        pytest.param(("GET /#x HTTP/1.1", "Host: a"), id="fragment"),
        pytest.param(("GET /", "Host: a"), id="no version"),
    ],
)
def test_what_two_readers_could_read_differently_is_refused(lines: tuple[str, ...]) -> None:
    """Ambiguous framing and sloppy syntax are errors: they are how requests are smuggled."""
    with pytest.raises(HttpError):
        request_body_size(parse_request_head(_head(*lines)))


def test_a_request_is_read() -> None:
    """Path and query apart, header names in lower case, values trimmed."""
    request = parse_request_head(_head("GET /a?x=1&y=&x=2 HTTP/1.1", "Host: h", "X-Y:  v \t"), peer="127.0.0.1")
    assert (request.method, request.path, request.query) == ("GET", "/a", (("x", "1"), ("y", ""), ("x", "2")))
    assert request.argument("x") == "1"
    assert request.header("x-y") == "v"
    assert request.keep_alive


def test_an_absolute_target_is_taken() -> None:
    """Clients that believe us to be a proxy send one; its path counts."""
    assert parse_request_head(_head("GET http://h:1/p HTTP/1.1", "Host: h")).path == "/p"
    assert parse_request_head(_head("GET http://h?q=1 HTTP/1.1", "Host: h")).argument("q") == "1"


@pytest.mark.parametrize(
    ("minor", "connection", "keep"),
    [(1, "", True), (1, "close", False), (1, "x, Close", False), (0, "", False), (0, "keep-alive", True)],
)
def test_keep_alive_follows_version_and_header(*, minor: int, connection: str, keep: bool) -> None:
    """1.1 stays unless told otherwise, 1.0 closes unless told otherwise."""
    assert Request(method="GET", path="/", minor=minor, headers=(("connection", connection),)).keep_alive is keep


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.0.1", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("", True),
        ("10.0.0.1", False),
    ],
)
def test_local_is_loopback_or_a_socket_file(*, peer: str, local: bool) -> None:
    """The peer's address decides, never a header."""
    assert Request(method="GET", path="/", peer=peer, headers=(("host", "localhost"),)).local is local


@pytest.mark.parametrize(
    ("lines", "method", "size"),
    [
        (("HTTP/1.1 200 OK", "Content-Length: 5"), "GET", 5),
        (("HTTP/1.1 200 OK", "Content-Length: 5"), "HEAD", 0),
        (("HTTP/1.1 200 OK", "transfer-encoding: Chunked"), "GET", CHUNKED),
        (("HTTP/1.0 200",), "GET", UNTIL_CLOSE),
        (("HTTP/1.1 204 No Content",), "GET", 0),
    ],
)
def test_the_end_of_an_answer_is_known(lines: tuple[str, ...], method: str, size: int) -> None:
    """By length, by chunks, by the end of the connection, or there is no body."""
    assert response_body_size(parse_response_head(_head(*lines)), method=method) == size


def test_an_answer_is_written() -> None:
    """Length and connection are ours to write; HEAD gets the head only."""
    response = Response(status=503, body=b"no", headers=(("x", "y"),))
    text = render_response(response, keep_alive=False)
    assert text.startswith(b"HTTP/1.1 503 Service Unavailable\r\nx: y\r\nconnection: close\r\ncontent-length: 2\r\n")
    assert text.endswith(b"\r\n\r\nno")
    assert render_response(response, keep_alive=True, with_body=False).endswith(b"\r\n\r\n")


def test_headers_cannot_break_out() -> None:
    """A value with a line break would be a header of the attacker's choice."""
    with pytest.raises(ValueError, match="line break"):
        render_response(Response(headers=(("x", "a\r\nset-cookie: b"),)), keep_alive=True)
    with pytest.raises(ValueError, match="request line"):
        render_request("GET", "/ HTTP/1.1\r\nX: y", host="h")
