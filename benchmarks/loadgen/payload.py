"""Responses as a stream sees them, parsed once for all streams that receive the same bytes.

A response differs between streams only in its nonce. So the run of bytes that holds the resources is remembered with
what was read from it, and the next response is first compared with the runs known (a ``memcmp``) before it is walked.

Spec: envoy/service/discovery/v3/discovery.proto, ``DeltaDiscoveryResponse`` and ``DiscoveryResponse``
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from benchmarks.loadgen.references import referenced_names
from discovery.wire.protowire import fields, varint

__all__ = ["Batch", "Entry", "Reader", "Response", "Variant"]

_KNOWN_RUNS = 32  # a connecting stream receives a handful of large responses; more would only cost memory
_LARGE = 16_384  # below this, walking is cheaper than trying the runs known
_KNOWN_SMALL = 4096


class Variant(StrEnum):
    """The two protocols on one service definition."""

    DELTA = "delta"
    SOTW = "sotw"


class Entry(NamedTuple):
    """One resource: its name, its version (delta only), and the names it makes a proxy subscribe to."""

    name: str
    version: str
    references: tuple[str, ...]


class Batch:
    """The resources and removals of a response. Shared: equal bytes give the same object."""

    __slots__ = ("__weakref__", "entries", "removed")

    def __init__(self, entries: tuple[Entry, ...], removed: tuple[str, ...]) -> None:
        self.entries = entries
        self.removed = removed


class Response(NamedTuple):
    """One response of either protocol; ``version`` is SotW's, ``size_bytes`` that of the whole gRPC message."""

    type_url: str
    nonce: str
    version: str
    batch: Batch
    size_bytes: int


class _Envelope:
    """The small fields around the resources."""

    __slots__ = ("nonce", "removed", "type_url", "version")

    def __init__(self) -> None:
        self.type_url = ""
        self.nonce = ""
        self.version = ""
        self.removed: list[str] = []


class _Run:
    """Where in a message the resources lay, their bytes, and what they say."""

    __slots__ = ("batches", "data", "entries", "start")

    def __init__(self, start: int, data: bytes, entries: tuple[Entry, ...]) -> None:
        self.start = start
        self.data = data
        self.entries = entries
        self.batches: dict[tuple[str, ...], Batch] = {}

    def batch(self, removed: list[str]) -> Batch:
        key = tuple(removed)
        known = self.batches.get(key)
        if known is None:
            known = self.batches[key] = Batch(self.entries, key)
        return known


class Reader:
    """Parses the responses of many streams of one variant."""

    def __init__(self, variant: Variant) -> None:
        self._variant = variant
        self._large: deque[_Run] = deque(maxlen=_KNOWN_RUNS)
        self._small: dict[tuple[str, bytes], _Run] = {}
        self.parsed_bytes = 0  # what had to be walked; the rest was recognised

    def read(self, data: bytes) -> Response:
        """Parse a response.

        Raises:
            ValueError: the bytes are no discovery response.
        """
        for run in self._large if len(data) >= _LARGE else ():
            if data.startswith(run.data, run.start):
                known = self._recognised(run, data)
                if known is not None:
                    return known
        return self._walk(data)

    def _recognised(self, run: _Run, data: bytes) -> Response | None:
        envelope = _Envelope()
        end = run.start + len(run.data)
        if self._envelope(envelope, data[: run.start]) or self._envelope(envelope, data[end:]):
            return None  # more resources around the run: another, longer response
        return self._response(envelope, run, len(data))

    def _walk(self, data: bytes) -> Response:
        envelope = _Envelope()
        resources = self._envelope(envelope, data)
        start, end = _span(data)
        body = data[start:end]
        key = (envelope.type_url, body)
        run = self._small.get(key) if len(body) < _LARGE else None
        if run is None:
            self.parsed_bytes += len(body)
            run = _Run(start, body, tuple(self._entry(envelope.type_url, r) for r in resources))
            self._remember(key, run)
        return self._response(envelope, run, len(data))

    def _remember(self, key: tuple[str, bytes], run: _Run) -> None:
        if len(run.data) >= _LARGE:
            self._large.appendleft(run)
            return
        if len(self._small) >= _KNOWN_SMALL:
            self._small.clear()
        self._small[key] = run

    def _response(self, envelope: _Envelope, run: _Run, size: int) -> Response:
        return Response(envelope.type_url, envelope.nonce, envelope.version, run.batch(envelope.removed), size)

    def _envelope(self, envelope: _Envelope, data: bytes) -> list[memoryview]:
        """Read the small fields into ``envelope``; gives the resources, unread."""
        resources: list[memoryview] = []
        for number, value in fields(data):
            if isinstance(value, int):
                continue
            if number == 2:
                resources.append(value)
            elif number == 1:
                envelope.version = str(value, "utf-8")
            elif number == 4:
                envelope.type_url = str(value, "utf-8")
            elif number == 5:
                envelope.nonce = str(value, "utf-8")
            elif number == 6 and self._variant is Variant.DELTA:
                envelope.removed.append(str(value, "utf-8"))
        return resources

    def _entry(self, type_url: str, resource: memoryview) -> Entry:
        if self._variant is Variant.SOTW:
            body = _any_value(resource)
            return Entry(_first_name(body), "", referenced_names(type_url, body))
        name = version = ""
        body = memoryview(b"")
        for number, value in fields(resource):
            if isinstance(value, int):
                continue
            if number == 1:
                version = str(value, "utf-8")
            elif number == 2:
                body = _any_value(value)
            elif number == 3:
                name = str(value, "utf-8")
        return Entry(name, version, referenced_names(type_url, body))


def _span(data: bytes) -> tuple[int, int]:
    """From the first byte of the first resource field to the last byte of the last one."""
    start = end = at = 0
    for number, size in _sizes(data):
        if number == 2:
            start = start if end else at
            end = at + size
        at += size
    return start, end


def _sizes(data: bytes) -> Iterator[tuple[int, int]]:
    """Field number and encoded size of each field; discovery responses have none but length-prefixed ones."""
    for number, value in fields(data):
        if isinstance(value, int):
            raise ValueError(f"a discovery response has no numeric field {number}")
        yield number, len(varint(number << 3 | 2)) + len(varint(len(value))) + len(value)


def _any_value(data: memoryview) -> memoryview:
    for number, value in fields(data):
        if number == 2 and not isinstance(value, int):
            return value
    return memoryview(b"")


def _first_name(body: memoryview) -> str:
    """Field 1, the name in every resource type that SotW streams here subscribe to."""
    for number, value in fields(body):
        if number == 1 and not isinstance(value, int):
            return str(value, "utf-8")
    return ""
