"""The DNS wire format, as far as a proxy needs it: questions are read, answers for addresses and services written.

An own codec, for a library that builds objects of whole messages costs more memory than the rest of the proxy and forty
times the time of an answer. Everything read is bounds-checked: any bytes give a value or a ``MessageError``.

Spec: https://www.rfc-editor.org/rfc/rfc1035#section-4 https://www.rfc-editor.org/rfc/rfc6891
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from struct import Struct, error
from typing import Final, NamedTuple

__all__ = [
    "AAAA",
    "IN",
    "MAX_TCP",
    "MIN_UDP",
    "SRV",
    "TTL_S",
    "A",
    "MessageError",
    "NegativeTtl",
    "Query",
    "Rcode",
    "Target",
    "build_addresses",
    "build_error",
    "build_targets",
    "negative_ttl",
    "parse_query",
    "response_matches",
    "truncate",
    "wire_name",
]

A: Final = 1
AAAA: Final = 28
SRV: Final = 33
IN: Final = 1
TTL_S: Final = 30
MIN_UDP: Final = 512
MAX_TCP: Final = 65_535

_CNAME, _SOA, _OPT = 5, 6, 41
_OUR_UDP: Final = 1232  # fits every path without fragments: https://www.dnsflagday.net/2020/
_QR, _AA, _TC, _RD, _RA = 0x8000, 0x0400, 0x0200, 0x0100, 0x0080
_KEPT: Final = _RD | 0x7800 | 0x0010  # of a question in its answer: recursion desired, opcode, checking disabled
_HEADER: Final = Struct("!6H")
_QUESTION: Final = Struct("!HH")
_RECORD: Final = Struct("!HHIH")
_U32: Final = Struct("!I")
_SERVER: Final = Struct("!3H")
_FARTHEST_POINTER: Final = 0x3FFF
_POINTER_TO_QUESTION: Final = 0xC00C


class Rcode(IntEnum):
    """What an answer says besides its records; above 15 only with EDNS."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    BADVERS = 16


class MessageError(ValueError):
    """The bytes are no question that can be served; ``rcode`` is what to answer, None: nothing."""

    def __init__(self, text: str, rcode: Rcode | None = Rcode.FORMERR) -> None:
        super().__init__(text)
        self.rcode = rcode


class Query(NamedTuple):
    """The one question of a message, and what bounds its answer."""

    name: bytes  # in wire form, lower case
    labels: tuple[int, ...]  # where in it labels begin, the root not counted
    kind: int
    family: int  # the class; IN for the internet
    end: int  # where in the message the question ends
    size: int  # the largest answer that may be sent by UDP, in bytes
    edns: bool


def parse_query(data: bytes) -> Query:
    """Read a question.

    Raises:
        MessageError: it is none; what to answer stands in it.
    """
    if len(data) < _HEADER.size:
        raise MessageError("shorter than a header", None)
    _, flags, questions, answers, authority, additional = _HEADER.unpack_from(data)
    if flags & _QR:
        raise MessageError("a response, not a question", None)
    if flags & 0x7800:
        raise MessageError("no ordinary query", Rcode.NOTIMP)
    if questions != 1:
        raise MessageError(f"{questions} questions, want one", Rcode.FORMERR if questions else Rcode.SERVFAIL)
    labels, at = _walk_labels(data)
    if at + _QUESTION.size > len(data):
        raise MessageError("the question is cut off")
    kind, family = _QUESTION.unpack_from(data, at)
    end = at + _QUESTION.size
    size = 0
    if answers or authority or additional:
        size = _edns_size(data, end, answers + authority + additional)
    name = data[_HEADER.size : at].lower()  # lengths of labels are below 64, so no letters
    return Query(name, labels, kind, family, end, max(size, MIN_UDP), size > 0)


def _walk_labels(data: bytes) -> tuple[tuple[int, ...], int]:
    """Where labels of the question begin, and where its name ends; nothing stands before it that it could point to."""
    at, total = _HEADER.size, len(data)
    labels: list[int] = []
    while at < total:
        size = data[at]
        if not size:
            return tuple(labels), at + 1
        labels.append(at - _HEADER.size)
        at += size + 1
        if size > 63 or at - _HEADER.size > 254:
            break
    raise MessageError("the name is malformed or cut off")


def _edns_size(data: bytes, at: int, records: int) -> int:
    """What the OPT record says of size; 0 without one."""
    found = 0
    for _ in range(records):
        start = _skip_name(data, at)
        kind, size, extended, length = _unpack(_RECORD, data, start)
        if kind == _OPT:
            if data[at] or found:
                raise MessageError("a second OPT record, or one with a name")
            if extended >> 16 & 0xFF:
                raise MessageError("EDNS of a version above 0", Rcode.BADVERS)
            found = max(size, MIN_UDP)
        at = start + _RECORD.size + length
        if at > len(data):
            raise MessageError("a record is cut off")
    return found


def _unpack(form: Struct, data: bytes | memoryview, at: int) -> tuple[int, ...]:
    try:
        return form.unpack_from(data, at)
    except error:
        raise MessageError("a record is cut off") from None


def _skip_name(data: bytes, at: int) -> int:
    """Where a name, compressed or not, ends."""
    total = len(data)
    while at < total:
        size = data[at]
        if not size:
            return at + 1
        if size >= 0xC0:
            return at + 2
        if size > 63:
            break
        at += size + 1
    raise MessageError("a name is malformed or cut off")


def _flags(data: bytes, add: int) -> int:
    return int.from_bytes(data[2:4]) & _KEPT | _QR | _RA | add


def _opt(query: Query | None, rcode: Rcode = Rcode.NOERROR) -> bytes:
    """The OPT record of an answer; who did not ask with one is not sent one."""
    if query is None or not query.edns:
        return b"" if rcode < 16 else b"\0" + _RECORD.pack(_OPT, _OUR_UDP, rcode >> 4 << 24, 0)
    return b"\0" + _RECORD.pack(_OPT, _OUR_UDP, rcode >> 4 << 24, 0)


def build_addresses(data: bytes, query: Query, addresses: Sequence[bytes], *, limit: int, alias: bytes = b"") -> bytes:
    """The authoritative answer to a question for addresses; none: the name exists, but not with such.

    Args:
        data: the message with the question; its letters keep their case, which clients may check.
        query: the question.
        addresses: packed, all of one family, in the order in which to give them.
        limit: the largest answer in bytes; what does not fit is left out and the answer says so.
        alias: where to be named: the name (in wire form) that the question is another name for.
    """
    question = data[_HEADER.size : query.end]
    opt = _opt(query)
    owner, head = _POINTER_TO_QUESTION, b""
    if alias and addresses:
        owner = 0xC000 | query.end + 12  # the alias in the record that follows
        head = _POINTER_TO_QUESTION.to_bytes(2) + _RECORD.pack(_CNAME, IN, TTL_S, len(alias)) + alias
    flags, given = _flags(data, _AA), list(addresses)
    if given:
        prefix = owner.to_bytes(2) + _RECORD.pack(query.kind, IN, TTL_S, len(given[0]))
        room = (limit - query.end - len(head) - len(opt)) // (len(prefix) + len(given[0]))
        if room < len(given):
            flags |= _TC
            del given[max(room, 0) :]
        records = prefix + prefix.join(given) if given else b""
    else:
        records = b""
    header = data[:2] + flags.to_bytes(2) + _U32.pack(1 << 16 | len(given) + bool(head)) + _U32.pack(bool(opt))
    return b"".join((header, question, head, records, opt))


class Target(NamedTuple):
    """Who serves a service, and the packed addresses of that name, which spare the client its next questions."""

    port: int
    name: bytes  # in wire form
    v4: tuple[bytes, ...] = ()
    v6: tuple[bytes, ...] = ()


def build_targets(data: bytes, query: Query, targets: Sequence[Target], *, limit: int, alias: bytes = b"") -> bytes:
    """The authoritative answer to a question for the servers of a service, all as good as each other.

    Addresses that do not fit are left out without a word, for the client can ask for them (RFC 2181, 9); servers are
    not. The other arguments are those of ``build_addresses``.

    Spec: https://www.rfc-editor.org/rfc/rfc2782
    """
    opt = _opt(query)
    owner, head = _POINTER_TO_QUESTION.to_bytes(2), b""
    if alias:
        head = owner + _RECORD.pack(_CNAME, IN, TTL_S, len(alias)) + alias
        owner = (0xC000 | query.end + 12).to_bytes(2)  # the alias in the record that was just written
    weight = 1 if len(targets) > 1 else 0  # with 0 alone, clients would all take the first; for a single one, 0 is due
    room, at, flags = limit - len(opt), query.end + len(head), _flags(data, _AA)
    records, places = [], dict[bytes, tuple[int, Target]]()
    for target in targets:
        size = _SERVER.size + len(target.name)
        record = owner + _RECORD.pack(SRV, IN, TTL_S, size) + _SERVER.pack(0, weight, target.port) + target.name
        if at + len(record) > room:
            flags |= _TC
            break
        places.setdefault(target.name, (at + len(record) - len(target.name), target))
        records.append(record)
        at += len(record)
    hints = _hints(places, room - at)
    counts = _U32.pack(1 << 16 | len(records) + bool(head)) + _U32.pack(len(hints) + bool(opt))
    return b"".join((data[:2], flags.to_bytes(2), counts, data[_HEADER.size : query.end], head, *records, *hints, opt))


def _hints(places: Mapping[bytes, tuple[int, Target]], room: int) -> list[bytes]:
    """Records with the addresses of servers, whole sets of them, as far as there is room."""
    hints: list[bytes] = []
    for name, (place, target) in places.items():
        owner = (0xC000 | place).to_bytes(2) if place <= _FARTHEST_POINTER else name
        for kind, addresses in ((A, target.v4), (AAAA, target.v6)):
            records = [owner + _RECORD.pack(kind, IN, TTL_S, len(address)) + address for address in addresses]
            room -= sum(map(len, records))
            if room < 0:
                return hints
            hints += records
    return hints


def build_error(data: bytes, rcode: Rcode, query: Query | None = None) -> bytes:
    """An answer without records; ``query`` None: the question could not be read and is not repeated."""
    question = data[_HEADER.size : query.end] if query is not None else b""
    opt = _opt(query, rcode)
    header = data[:2] + _flags(data, rcode & 0xF).to_bytes(2) + _U32.pack(bool(question) << 16) + _U32.pack(bool(opt))
    return header + question + opt


def truncate(response: bytes, query: Query) -> bytes:
    """The response without records and with the bit that makes the client ask again by TCP."""
    flags = int.from_bytes(response[2:4]) | _TC
    return response[:2] + flags.to_bytes(2) + _U32.pack(1 << 16) + _U32.pack(0) + response[_HEADER.size : query.end]


def response_matches(response: bytes, sent: bytes, query: Query) -> bool:
    """Whether bytes that arrived answer the question that was sent: same id, same question."""
    if len(response) < _HEADER.size or response[:2] != sent[:2] or not response[2] & 0x80:
        return False
    questions = int.from_bytes(response[4:6])
    if questions == 1:
        return response[_HEADER.size : query.end].lower() == sent[_HEADER.size : query.end].lower()
    return not questions and bool(response[3] & 0xF)  # some servers refuse without repeating the question


class NegativeTtl(NamedTuple):
    """How long it holds that there is no such record."""

    seconds: int
    at: int  # where in the response it stands


def negative_ttl(response: bytes, query: Query) -> NegativeTtl | None:
    """How long a response may be remembered that says that there is nothing; None: it says something else.

    Spec: https://www.rfc-editor.org/rfc/rfc2308#section-5
    """
    _, flags, questions, answers, authority, _ = _HEADER.unpack_from(response)
    if questions != 1 or answers or flags & _TC or flags & 0xF not in (Rcode.NOERROR, Rcode.NXDOMAIN):
        return None
    try:
        at = query.end
        for _ in range(authority):
            start = _skip_name(response, at)
            kind, _, ttl, length = _unpack(_RECORD, response, start)
            if kind == _SOA:
                numbers = _skip_name(response, _skip_name(response, start + _RECORD.size))
                (minimum,) = _unpack(_U32, response, numbers + 16)
                return NegativeTtl(min(ttl, minimum), start + 4)
            at = start + _RECORD.size + length
    except MessageError:
        return None  # the client may make of it what it can; it is not remembered
    return None


def wire_name(text: str) -> bytes | None:
    """A name in wire form, lower case; None: it cannot be one (labels empty or above 63 bytes, all above 255)."""
    try:
        labels = text.rstrip(".").lower().encode("ascii").split(b".")
    except UnicodeEncodeError:
        return None
    if not all(0 < len(label) < 64 for label in labels):
        return None
    name = b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
    return name if len(name) <= 255 else None
