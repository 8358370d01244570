"""Letting a stream in: ready, authenticated, understood, authorised, in turn; in this order, each with its status.

A stream takes a place in the set-up only when its first request is here and its caller is known, so that clients that
say nothing, however many, and an API server that is slow to judge tokens keep nobody else waiting. What waits for a
place is the request as understood: of a thousand sidecars that come back at once it shares most, while each has sent
80 KB and more.
"""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple

import grpc

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener, authorize_node
from discovery.auth.chain import Gatekeeper
from discovery.auth.errors import ForbiddenError, UnauthenticatedError, UndecidedError
from discovery.runtime.logs import get_logger
from discovery.runtime.readiness import Readiness
from discovery.wire.envoy import Node
from discovery.wire.node import NodeError, NodeType
from discovery.wire.type_urls import HEALTH_INFORMATION
from discovery.xds.admission import Admission, QueueFullError
from discovery.xds.connection import Context, StreamEndedError
from discovery.xds.node_key import NodeFacts, read_node
from discovery.xds.request import Request, RequestError
from discovery.xds.variant import Variant

__all__ = ["Admitted", "Place", "Reception"]

_FIRST_REQUEST_S: Final = 30.0  # how long a new stream may take to say who it is
_UNSERVED: Final = frozenset({NodeType.ZTUNNEL})  # proxies that need what we do not serve


class Place:
    """A place in the set-up, given back once."""

    def __init__(self, admission: Admission) -> None:
        self._admission: Admission | None = admission

    def leave(self) -> None:
        """Give it back, unless that was done."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.leave()


class Admitted(NamedTuple):
    """A stream that may be served; it holds its place until it has settled."""

    request: Request
    node: NodeFacts
    identity: str  # verified SPIFFE id; empty on plaintext
    address: str
    place: Place


class Reception:
    """Where streams wait and are looked at.

    Args:
        readiness: streams are refused while something blocks it.
        authenticator: who is calling at the front; without it nobody is asked.
        places: streams that are set up at the same time.
    """

    def __init__(self, readiness: Readiness, authenticator: Gatekeeper | None, *, places: int) -> None:
        self._readiness = readiness
        self._authenticator = authenticator
        self._admission = Admission(places=places)
        self._log = get_logger("ads")

    async def admit(self, via: Listener, variant: Variant, context: Context) -> Admitted:
        """Wait for the first request, look at who it is, and wait for a place.

        Raises:
            StreamEndedError: the stream is refused.
        """
        if not self._readiness.ready:
            reasons = ", ".join(self._readiness.reasons)
            raise StreamEndedError(grpc.StatusCode.UNAVAILABLE, f"not ready: {reasons}; try again")
        credentials = Credentials.read(via, context.peer(), context.invocation_metadata() or ())
        raw = await _read_first(context)
        caller = await self._authenticate(credentials)
        request, node = _parse(variant, raw)
        while request.type_url == HEALTH_INFORMATION:  # before the first subscription it is dropped
            request, node = _parse(variant, await _read_first(context))
        facts = _understood(node)
        identity = self._authorize(caller, facts)
        del raw, node  # with the node lives the memory of the whole message
        return Admitted(request, facts, identity, credentials.peer, await self._place())

    async def _place(self) -> Place:
        try:
            await self._admission.enter()
        except QueueFullError as error:
            raise StreamEndedError(grpc.StatusCode.RESOURCE_EXHAUSTED, str(error)) from error
        return Place(self._admission)

    async def _authenticate(self, credentials: Credentials) -> Caller | None:
        """The caller; None where nobody is asked."""
        if credentials.via is Listener.PLAINTEXT or self._authenticator is None:
            return None
        try:
            return await self._authenticator.authenticate(credentials)
        except UnauthenticatedError as refusal:
            self._log.warning("caller refused", peer=credentials.peer, reason=str(refusal))
            raise StreamEndedError(grpc.StatusCode.UNAUTHENTICATED, "authentication failure") from refusal
        except UndecidedError as undecided:
            self._log.warning("caller cannot be authenticated now", peer=credentials.peer, reason=str(undecided))
            raise StreamEndedError(grpc.StatusCode.UNAVAILABLE, "cannot authenticate now; try again") from undecided

    def _authorize(self, caller: Caller | None, facts: NodeFacts) -> str:
        if caller is None or caller.kind is CallerKind.ANONYMOUS:
            return ""
        try:
            identity = authorize_node(caller, namespace=facts.namespace, service_account=facts.metadata.service_account)
        except ForbiddenError as refusal:
            self._log.warning("proxy refused", proxy=facts.id.name, reason=str(refusal))
            raise StreamEndedError(grpc.StatusCode.PERMISSION_DENIED, "the caller is not this node") from refusal
        return str(identity or "")


async def _read_first(context: Context) -> bytes:
    try:
        async with asyncio.timeout(_FIRST_REQUEST_S):
            raw: object = await context.read()
    except TimeoutError:
        raise StreamEndedError(grpc.StatusCode.DEADLINE_EXCEEDED, "no first request in time") from None
    if not isinstance(raw, bytes):
        raise StreamEndedError(grpc.StatusCode.CANCELLED, "the client said nothing")
    return raw


def _parse(variant: Variant, raw: bytes) -> tuple[Request, Node]:
    try:
        return variant.parse(raw)
    except RequestError as error:
        raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error


def _understood(node: Node) -> NodeFacts:
    if not node.id:
        raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, "missing node information")
    try:
        facts = read_node(node)
    except NodeError as error:
        raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
    if facts.id.type in _UNSERVED:
        raise StreamEndedError(grpc.StatusCode.INVALID_ARGUMENT, f"proxies of type {facts.id.type} are not served")
    return facts
