"""One sidecar's side of an ADS stream, without I/O: bytes of responses in, bytes of requests out, in Envoy's order.

Clusters first; then the endpoints they name; listeners once all of those are in; then the route configurations that the
listeners name; virtual hosts when a route configuration says so. What a response makes us ask for is asked before that
response is acknowledged, as Envoy does (docs/adr/0002-vhds.md).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from benchmarks.loadgen.held import Held
from benchmarks.loadgen.messages import delta_request, sotw_request
from benchmarks.loadgen.payload import Reader, Response, Variant
from benchmarks.loadgen.tally import Tally
from discovery.wire.protowire import bytes_field
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST, short_name

__all__ = ["DeltaSession", "Session", "SotwSession", "new_session"]

_ORDER = (CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST)
_NAMED_BY = {CLUSTER: ENDPOINT, LISTENER: ROUTE}
_EMPTY = Held()

Reject = Callable[[Response], str]
"""Says why a response is to be rejected; an empty string accepts it."""


def accept_all(_response: Response) -> str:
    """Reject nothing."""
    return ""


class Session(Protocol):
    """What the fleet needs of a stream of either variant."""

    tally: Tally
    reject: Reject

    def open(self) -> list[bytes]:
        """First requests of a new stream; on a later stream of the same sidecar they tell what it holds."""

    def receive(self, data: bytes) -> list[bytes]:
        """Requests that a response makes us send, the ACK or NACK last.

        Raises:
            ValueError: the bytes are no discovery response.
        """

    def missing(self) -> str:
        """What a sidecar still waits for before it is ready; empty when it is."""


class _Subscriptions:
    """What both variants keep: resources held, names wanted, types asked for."""

    def __init__(self, node: bytes, reader: Reader, *, node_field: int) -> None:
        self.tally = Tally()
        self.reject: Reject = accept_all
        self.held: dict[str, Held] = dict.fromkeys(_ORDER, _EMPTY)
        self.wanted: dict[str, frozenset[str]] = dict.fromkeys(_ORDER, frozenset())
        self.asked: set[str] = set()
        self._node = bytes_field(node_field, node)
        self._reader = reader

    def read(self, data: bytes) -> tuple[Response, str]:
        """The response, counted, and why it is rejected (mostly not)."""
        response = self._reader.read(data)
        why = self.reject(response)
        self.tally.count(response, rejected=bool(why))
        return response, why

    def missing(self) -> str:
        """Clusters, then endpoints of each, listeners, routes of each, and hosts of each route that uses VHDS."""
        for type_url in (CLUSTER, LISTENER):
            if not self.held[type_url].entries:
                return f"{short_name(type_url)}: nothing received"
        for type_url in (ENDPOINT, ROUTE):
            absent = self.wanted[type_url] - self.held[type_url].entries.keys()
            if absent:
                return f"{short_name(type_url)}: {len(absent)} of {len(self.wanted[type_url])}, such as {min(absent)}"
        hostless = self.held[ROUTE].using_vhds - self.held[VIRTUAL_HOST].prefixes
        return f"{short_name(VIRTUAL_HOST)}: hosts of {', '.join(sorted(hostless))}" if hostless else ""

    def endpoints_complete(self) -> bool:
        """Whether all clusters held can be warm."""
        return self.wanted[ENDPOINT] <= self.held[ENDPOINT].entries.keys()


class DeltaSession(_Subscriptions):
    """Incremental: subscribes and unsubscribes by difference, tells versions when it comes back."""

    def __init__(self, node: bytes, reader: Reader) -> None:
        super().__init__(node, reader, node_field=1)

    def open(self) -> list[bytes]:
        """The first request of a sidecar is for clusters; a returning one asks for all it had, in one burst."""
        self.asked.add(CLUSTER)
        requests = [
            delta_request(type_url, subscribe=self.wanted[type_url], versions=self.held[type_url].versions)
            for type_url in _ORDER
            if type_url in self.asked
        ]
        requests[0] = self._node + requests[0]  # only the first message of a stream carries it
        return requests

    def receive(self, data: bytes) -> list[bytes]:
        """Apply a response; subscriptions that follow from it go before its ACK."""
        response, why = self.read(data)
        if why:
            return [delta_request(response.type_url, nonce=response.nonce, error=why)]
        type_url = response.type_url
        self.held[type_url] = self.held.get(type_url, _EMPTY).apply(response.batch)
        requests = list(self._follow(type_url))
        requests.append(delta_request(type_url, nonce=response.nonce))
        return requests

    def _follow(self, type_url: str) -> Iterator[bytes]:
        named = _NAMED_BY.get(type_url)
        if named is not None:
            yield from self._subscribe(named, self.held[type_url].references)
        if LISTENER not in self.asked and type_url in (CLUSTER, ENDPOINT) and self.endpoints_complete():
            self.asked.add(LISTENER)
            yield delta_request(LISTENER)
        if VIRTUAL_HOST not in self.asked and type_url == ROUTE and self.held[ROUTE].using_vhds:
            self.asked.add(VIRTUAL_HOST)
            yield delta_request(VIRTUAL_HOST)

    def _subscribe(self, type_url: str, names: frozenset[str]) -> Iterator[bytes]:
        before = self.wanted[type_url]
        if names == before:
            return
        self.wanted[type_url] = names
        self.asked.add(type_url)
        self.held[type_url] = self.held[type_url].only(names)
        yield delta_request(type_url, subscribe=names - before, unsubscribe=before - names)


class SotwSession(_Subscriptions):
    """State of the world: every request carries all names wanted, the version accepted and the nonce answered."""

    def __init__(self, node: bytes, reader: Reader) -> None:
        super().__init__(node, reader, node_field=2)
        self._version: dict[str, str] = {}
        self._nonce: dict[str, str] = {}

    def open(self) -> list[bytes]:
        """Clusters first; a returning sidecar sends the versions it has, without nonces."""
        self._nonce.clear()
        self.asked.add(CLUSTER)
        requests = [self._request(type_url) for type_url in _ORDER if type_url in self.asked]
        requests[0] = self._node + requests[0]
        return requests

    def receive(self, data: bytes) -> list[bytes]:
        """Apply a response; subscriptions that follow from it go before its ACK."""
        response, why = self.read(data)
        type_url = response.type_url
        self._nonce[type_url] = response.nonce
        if why:
            return [self._request(type_url, error=why)]
        replace = type_url in _NAMED_BY
        self.held[type_url] = self.held.get(type_url, _EMPTY).apply(response.batch, replace=replace)
        self._version[type_url] = response.version
        requests = list(self._follow(type_url))
        requests.append(self._request(type_url))
        return requests

    def _request(self, type_url: str, *, error: str = "") -> bytes:
        return sotw_request(
            type_url,
            error=error,
            nonce=self._nonce.get(type_url, ""),
            version=self._version.get(type_url, ""),
            names=self.wanted.get(type_url, frozenset()),
        )

    def _follow(self, type_url: str) -> Iterator[bytes]:
        named = _NAMED_BY.get(type_url)
        if named is not None and self.held[type_url].references != self.wanted[named]:
            self.wanted[named] = self.held[type_url].references
            self.held[named] = self.held[named].only(self.wanted[named])
            self.asked.add(named)
            yield self._request(named)
        if LISTENER not in self.asked and type_url in (CLUSTER, ENDPOINT) and self.endpoints_complete():
            self.asked.add(LISTENER)
            yield self._request(LISTENER)


def new_session(variant: Variant, node: bytes, reader: Reader) -> Session:
    """A sidecar that has not connected yet."""
    return DeltaSession(node, reader) if variant is Variant.DELTA else SotwSession(node, reader)
