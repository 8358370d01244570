"""Requests of both protocol variants as one neutral value."""

from __future__ import annotations

import msgspec

from discovery.wire.delta_request import ReceivedDeltaRequest
from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest, Node
from discovery.xds.reports import Report, Reports

__all__ = ["ERROR_CHARS", "Request", "RequestError", "parse_delta", "parse_sotw"]

ERROR_CHARS = 2048  # of a client's error text that are kept; Envoy quotes whole resources in it


class RequestError(ValueError):
    """The bytes are not the request that the method takes."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What a client says in one message.

    ``names`` is the whole subscription and comes from state-of-the-world clients; delta clients leave it None and tell
    what changes: ``subscribe``, ``unsubscribe``, and on the first message of a stream what they still hold.
    """

    type_url: str
    nonce: str = ""
    error: str | None = None  # why the client rejected the response of this nonce; None: it did not
    names: frozenset[str] | None = None
    subscribe: frozenset[str] = frozenset()
    unsubscribe: frozenset[str] = frozenset()
    known: Report | None = None  # initial_resource_versions, when there are any


def parse_delta(raw: bytes, reports: Reports) -> tuple[Request, Node]:
    """Read a ``DeltaDiscoveryRequest``; the node is empty when the message has none.

    Args:
        raw: the message.
        reports: shares what equal clients report to hold.

    Raises:
        RequestError: it is none.
    """
    known: Report | None = None
    try:
        message = ReceivedDeltaRequest.FromString(raw)
        node = Node.FromString(message.node)
        if message.initial_resource_versions:
            entries = frozenset(message.initial_resource_versions)
            known = reports.of(entries, lambda: dict(DeltaDiscoveryRequest.FromString(raw).initial_resource_versions))
    except Exception as error:
        raise RequestError(f"no DeltaDiscoveryRequest: {error}") from error
    request = Request(
        type_url=message.type_url,
        nonce=message.response_nonce,
        error=message.error_detail.message[:ERROR_CHARS] if message.HasField("error_detail") else None,
        subscribe=frozenset(message.resource_names_subscribe),
        unsubscribe=frozenset(message.resource_names_unsubscribe),
        known=known,
    )
    return request, node


def parse_sotw(raw: bytes) -> tuple[Request, Node]:
    """Read a ``DiscoveryRequest``; the node is empty when the message has none.

    Raises:
        RequestError: it is none.
    """
    try:
        message = DiscoveryRequest.FromString(raw)
    except Exception as error:
        raise RequestError(f"no DiscoveryRequest: {error}") from error
    request = Request(
        type_url=message.type_url,
        nonce=message.response_nonce,
        error=message.error_detail.message[:ERROR_CHARS] if message.HasField("error_detail") else None,
        names=frozenset(message.resource_names),
    )
    return request, message.node
