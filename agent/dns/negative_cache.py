"""What upstream resolvers said does not exist, remembered for as long as they said it holds.

A client with ``ndots:5`` tries each external name below every search domain first, so most of what leaves a pod is
asked in vain, and asked again with the next connection. Only these answers are kept: they are small, and positive ones
go back unchanged, with what their servers do to them.

Spec: https://www.rfc-editor.org/rfc/rfc2308
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, NamedTuple

from agent.dns.messages import Query, negative_ttl

__all__ = ["MAX_ENTRIES", "MAX_S", "NegativeCache"]

MAX_ENTRIES: Final = 1024  # of some 300 bytes each
MAX_S: Final = 30
_MAX_BYTES: Final = 1024  # of an answer


class _Entry(NamedTuple):
    until: float
    ttl_at: int
    response: bytes


class NegativeCache:
    """Answers by question; the oldest makes room."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, data: bytes, query: Query, now: float) -> bytes | None:
        """The answer to a message, as if it came now (monotonic seconds)."""
        entry = self._entries.get(_key(data, query))
        if entry is None or entry.until <= now:
            return None
        response = bytearray(entry.response)
        response[:2] = data[:2]
        response[12 : query.end] = data[12 : query.end]  # the letters as this client wrote them
        response[entry.ttl_at : entry.ttl_at + 4] = int(entry.until - now).to_bytes(4)
        return bytes(response)

    def put(self, data: bytes, query: Query, response: bytes, now: float) -> None:
        """Remember the answer that a message got, if it says that there is nothing."""
        ttl = negative_ttl(response, query) if len(response) <= _MAX_BYTES else None
        if ttl is None or not ttl.seconds:
            return
        key = _key(data, query)
        self._entries.pop(key, None)
        self._entries[key] = _Entry(now + min(ttl.seconds, MAX_S), ttl.at, response)
        if len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)


def _key(data: bytes, query: Query) -> bytes:
    """All of a message but its id and the case of its letters: flags and options change answers."""
    return data[2:12] + query.name + data[12 + len(query.name) :]
