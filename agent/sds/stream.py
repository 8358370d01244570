"""One SDS stream (state of the world), without I/O: which secrets Envoy wants, and which of them to send now.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-docs/xds_protocol
"""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from agent.sds.names import SecretSource, parse_secret_name
from discovery.wire import type_urls
from discovery.wire.protowire import fields

__all__ = ["RequestError", "SecretRequest", "SecretStream", "Verdict", "parse_request"]

_ERROR_WITHOUT_TEXT: Final = "no reason given"


class SecretRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What a ``DiscoveryRequest`` for secrets says. ``error`` is the reason of a NACK, None otherwise."""

    node_id: str = ""
    type_url: str = ""
    names: tuple[str, ...] = ()
    nonce: str = ""
    error: str | None = None


class RequestError(ValueError):
    """The request breaks the protocol; the stream ends with INVALID_ARGUMENT and this text."""


class Verdict(Enum):
    """What a request tells of our last response."""

    FIRST = "first"  # no response to speak of: everything named is wanted
    ACK = "ack"
    NACK = "nack"
    STALE = "stale"  # about an older response: ignored, for an answer to the newer one follows


def _text(value: int | memoryview) -> str:
    if isinstance(value, int):
        raise RequestError("malformed discovery request: a number in place of a string")
    return str(value, "utf-8", "replace")


def _submessage_text(value: int | memoryview, wanted: int) -> str:
    if isinstance(value, int):
        raise RequestError("malformed discovery request: a number in place of a message")
    return next((_text(inner) for number, inner in fields(value) if number == wanted), "")


def parse_request(data: bytes) -> SecretRequest:
    """Read the bytes of a ``DiscoveryRequest``.

    Raises:
        RequestError: they are none.
    """
    node_id = type_url = nonce = ""
    names: list[str] = []
    error: str | None = None
    try:
        for number, value in fields(data):
            if number == 2:
                node_id = _submessage_text(value, 1)
            elif number == 3:
                names.append(_text(value))
            elif number == 4:
                type_url = _text(value)
            elif number == 5:
                nonce = _text(value)
            elif number == 6:
                error = _submessage_text(value, 2) or _ERROR_WITHOUT_TEXT
    except RequestError:
        raise
    except ValueError as broken:
        raise RequestError(f"malformed discovery request: {broken}") from broken
    return SecretRequest(node_id=node_id, type_url=type_url, names=tuple(names), nonce=nonce, error=error)


class SecretStream:
    """The watches of one stream. One event loop owns it.

    What is to be sent collects in a set of names that are watched, so it is bounded by the watches; an update that
    comes twice before it is sent is sent once, with the newest value.
    """

    def __init__(self) -> None:
        self.node_id = ""
        self._watched: dict[str, SecretSource] = {}
        self._due: dict[str, None] = {}
        self._nonce = ""

    @property
    def watched(self) -> tuple[str, ...]:
        """The names Envoy wants, in the order in which it named them first."""
        return tuple(self._watched)

    @property
    def due(self) -> bool:
        """Whether something is to be sent."""
        return bool(self._due)

    def judge(self, request: SecretRequest) -> Verdict:
        """Say what a request tells of our last response. Decides only.

        Raises:
            RequestError: the request breaks the protocol.
        """
        if not self.node_id and not request.node_id:
            raise RequestError("missing node information: the first request of a stream must carry node.id")
        if request.type_url not in ("", type_urls.SECRET):
            raise RequestError(f"type {request.type_url!r} is not served here, want {type_urls.SECRET}")
        if not request.nonce:
            return Verdict.FIRST
        if request.nonce != self._nonce:
            return Verdict.STALE
        return Verdict.ACK if request.error is None else Verdict.NACK

    def on_request(self, request: SecretRequest) -> Verdict:
        """Take a request: note the names it adds as due, forget those it no longer has.

        Even a NACK can change the names wanted; what it rejects is not sent again.

        Raises:
            RequestError: the request breaks the protocol; nothing has changed.
        """
        verdict = self.judge(request)
        try:
            wanted = {name: parse_secret_name(name) for name in request.names}
        except ValueError as error:
            raise RequestError(str(error)) from error
        self.node_id = request.node_id or self.node_id
        if verdict is Verdict.STALE:
            return verdict
        added = wanted if verdict is Verdict.FIRST else wanted.keys() - self._watched.keys()
        self._watched = wanted
        self._due = {name: None for name in self._due if name in wanted}
        self._due.update((name, None) for name in wanted if name in added)
        return verdict

    def on_update(self, source: SecretSource) -> None:
        """A source has a new value: everything watched that comes from it is due."""
        self._due.update((name, None) for name, wanted in self._watched.items() if wanted == source)

    def take_due(self) -> tuple[tuple[str, SecretSource], ...]:
        """What to send now, each with its source; afterwards nothing is due."""
        taken = tuple((name, self._watched[name]) for name in self._due)
        self._due.clear()
        return taken

    def on_sent(self, nonce: str) -> None:
        """A response with this nonce is on its way: requests that answer an older one are stale from now on."""
        self._nonce = nonce
