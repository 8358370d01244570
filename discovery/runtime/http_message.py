"""HTTP/1.1 messages as values: strict reading of heads, and writing. Pure, so that it can be fuzzed.

Strict means: what two readers could understand differently is refused, never guessed. Both Content-Length and
Transfer-Encoding, a repeated Content-Length, a bare CR or LF, folded lines, white space before a colon: all are errors.

Spec: https://www.rfc-editor.org/rfc/rfc9112
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qsl

import msgspec

__all__ = [
    "CHUNKED",
    "UNTIL_CLOSE",
    "Headers",
    "HttpError",
    "Request",
    "Response",
    "ResponseHead",
    "parse_request_head",
    "parse_response_head",
    "render_request",
    "render_response",
    "request_body_size",
    "response_body_size",
]

CHUNKED: Final = -1
UNTIL_CLOSE: Final = -2

Headers = tuple[tuple[str, str], ...]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_REQUEST_LINE = re.compile(rb"(" + _TOKEN + rb") ([!-~]+) HTTP/(\d)\.(\d)\Z")
_STATUS_LINE = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: [\t\x20-\x7e\x80-\xff]*)?\Z")
_HEADER_LINE = re.compile(rb"(" + _TOKEN + rb"):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*\Z")
_NUMBER = re.compile(r"[0-9]{1,15}\Z")
_ABSOLUTE = re.compile(r"https?://[^/?#]+", re.IGNORECASE)


class HttpError(Exception):
    """A message that cannot be taken; ``status`` is what its sender is told."""

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(f"{int(status)} {status.phrase}: {reason}")
        self.status = status
        self.reason = reason


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A request. ``path`` is as sent, without the query; header names are in lower case.

    ``peer``: IP address of the other side, empty over a Unix socket (then the file's mode has decided who may ask).
    """

    method: str
    path: str
    query: Headers = ()
    headers: Headers = ()
    body: bytes = b""
    peer: str = ""
    minor: int = 1

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header; ``name`` in lower case."""
        return _first(self.headers, name, default)

    def argument(self, name: str, default: str = "") -> str:
        """The first value of a query parameter."""
        return _first(self.query, name, default)

    @property
    def keep_alive(self) -> bool:
        """Whether the sender wants to go on after the answer."""
        options = {item.strip().lower() for item in self.header("connection").split(",")}
        return "close" not in options and (self.minor >= 1 or "keep-alive" in options)

    @property
    def local(self) -> bool:
        """Whether it came from this host: loopback or a Unix socket."""
        return self.peer in ("", "::1") or self.peer.removeprefix("::ffff:").startswith("127.")


class Response(msgspec.Struct, frozen=True, kw_only=True):
    """An answer. Content-Length, Connection and Date are not for the handler to write."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    headers: Headers = ()

    def header(self, name: str, default: str = "") -> str:
        """The first value of a header; ``name`` in lower case."""
        return _first(self.headers, name, default)


class ResponseHead(msgspec.Struct, frozen=True):
    """The head of an answer, before its body is read."""

    status: int
    headers: Headers


def _first(pairs: Headers, name: str, default: str) -> str:
    return next((value for key, value in pairs if key == name), default)


def _all(pairs: Headers, name: str) -> list[str]:
    return [value for key, value in pairs if key == name]


def _bad(reason: str) -> HttpError:
    return HttpError(HTTPStatus.BAD_REQUEST, reason)


def _lines(head: bytes) -> list[bytes]:
    if not head.endswith(b"\r\n\r\n"):
        raise _bad("the head does not end in an empty line")
    return head[:-4].split(b"\r\n")


def _headers(lines: list[bytes]) -> Headers:
    pairs = []
    for line in lines:
        match = _HEADER_LINE.match(line)
        if match is None:
            raise _bad("malformed header line")
        pairs.append((match[1].decode("ascii").lower(), match[2].decode("latin-1")))
    return tuple(pairs)


def parse_request_head(head: bytes, *, peer: str = "") -> Request:
    """Read a request up to and with its empty line; the body is not in it yet.

    Raises:
        HttpError: 400 malformed, 505 another version than HTTP/1.x.
    """
    first, *rest = _lines(head)
    match = _REQUEST_LINE.match(first)
    if match is None:
        raise _bad("malformed request line")
    if match[3] != b"1":
        raise HttpError(HTTPStatus.HTTP_VERSION_NOT_SUPPORTED, "want HTTP/1.1")
    target = match[2].decode("ascii")
    absolute = _ABSOLUTE.match(target)
    if absolute:  # servers must take it, RFC 9112 section 3.2.2
        target = target[absolute.end() :] or "/"
        target = target if target.startswith("/") else "/" + target
    if not target.startswith("/") or "#" in target:
        raise _bad("malformed request target, want an absolute path")
    path, _, query = target.partition("?")
    headers = _headers(rest)
    minor = int(match[4])
    hosts = _all(headers, "host")
    if len(hosts) > 1 or (minor >= 1 and not hosts):
        raise _bad("want exactly one Host header")
    return Request(
        method=match[1].decode("ascii"),
        path=path,
        query=_query(query),
        headers=headers,
        peer=peer,
        minor=minor,
    )


def _query(text: str) -> Headers:
    try:
        return tuple(parse_qsl(text, keep_blank_values=True, max_num_fields=100))
    except ValueError:
        raise _bad("more than 100 query parameters") from None


def parse_response_head(head: bytes) -> ResponseHead:
    """Read the head of an answer.

    Raises:
        HttpError: malformed.
    """
    first, *rest = _lines(head)
    match = _STATUS_LINE.match(first)
    if match is None:
        raise _bad("malformed status line")
    return ResponseHead(int(match[2]), _headers(rest))


def _framing(headers: Headers) -> int | None:
    encodings, lengths = _all(headers, "transfer-encoding"), _all(headers, "content-length")
    if encodings and lengths:
        raise _bad("both Transfer-Encoding and Content-Length")
    if encodings:
        if [item.lower() for item in encodings] != ["chunked"]:
            raise HttpError(HTTPStatus.NOT_IMPLEMENTED, "the only Transfer-Encoding supported is chunked")
        return CHUNKED
    if not lengths:
        return None
    if len(lengths) > 1 or not _NUMBER.match(lengths[0]):
        raise _bad("malformed or repeated Content-Length")
    return int(lengths[0])


def request_body_size(request: Request) -> int:
    """How many bytes follow the head: a number, or ``CHUNKED``.

    Raises:
        HttpError: 400 the framing is ambiguous or malformed, 501 an unknown transfer coding.
    """
    size = _framing(request.headers)
    if size == CHUNKED and request.minor < 1:
        raise _bad("Transfer-Encoding in HTTP/1.0")
    return size or 0


def response_body_size(head: ResponseHead, *, method: str) -> int:
    """How many bytes follow the head of an answer: a number, ``CHUNKED``, or ``UNTIL_CLOSE``.

    Raises:
        HttpError: the framing is ambiguous or malformed.
    """
    if method == "HEAD" or head.status in (204, 304) or head.status < 200:
        return 0
    size = _framing(head.headers)
    return UNTIL_CLOSE if size is None else size


def _safe(text: str) -> str:
    if "\r" in text or "\n" in text or "\0" in text:
        raise ValueError(f"header {text!r} holds a line break")
    return text


def render_response(response: Response, *, keep_alive: bool, with_body: bool = True) -> bytes:
    """The bytes of an answer; without the body for HEAD.

    Raises:
        ValueError: a header holds a line break.
    """
    try:
        phrase = HTTPStatus(response.status).phrase
    except ValueError:
        phrase = ""
    lines = [
        f"HTTP/1.1 {response.status} {phrase}",
        *(f"{_safe(name)}: {_safe(value)}" for name, value in response.headers),
        f"connection: {'keep-alive' if keep_alive else 'close'}",
    ]
    if response.status not in (204, 304):
        lines.append(f"content-length: {len(response.body)}")
        if response.body:
            lines.append(f"content-type: {_safe(response.content_type)}")
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head + response.body if with_body and response.status not in (204, 304) else head


def render_request(method: str, target: str, *, host: str, headers: Headers = (), body: bytes = b"") -> bytes:
    """The bytes of a request that is the only one on its connection.

    Raises:
        ValueError: method, target or a header holds what must not be there.
    """
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in ("POST", "PUT", "PATCH"):
        lines.append(f"content-length: {len(body)}")
    if not _REQUEST_LINE.match(lines[0].encode("latin-1")):
        raise ValueError(f"cannot send {lines[0]!r} as a request line")
    return ("\r\n".join(map(_safe, lines)) + "\r\n\r\n").encode("latin-1") + body
