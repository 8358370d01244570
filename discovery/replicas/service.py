"""The answering side: every replica serves this at its secure port, to whoever shows that it is one of them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from types import TracebackType
from typing import Final, Protocol, Self

import grpc
import grpc.aio

from certs.spiffe import Spiffe
from discovery.auth.caller import CallerKind, Credentials, Listener
from discovery.auth.chain import Gatekeeper
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from discovery.replicas.asked import Asked
from discovery.replicas.messages import (
    METHOD,
    SERVICE,
    Answer,
    MessageError,
    Rejected,
    decode_questions,
    encode,
    name_of,
)
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.grpc_abort import abort
from discovery.runtime.logs import get_logger
from discovery.runtime.race import first_of
from discovery.schema.meta import ObjectKey
from discovery.store.delivery import DeliveryOracle, RejectedResource

__all__ = ["ReplicaService", "ToldDeliveries"]

_FIRST_S: Final = 0.1
_MAX_S: Final = 5.0
_REJECTED_KEPT: Final = 256  # on their way to a leader that does not take them
_log = get_logger("replicas")

_Context = grpc.aio.ServicerContext[bytes, bytes]


class ToldDeliveries(DeliveryOracle, Protocol):
    """Deliveries that tell of rejections too."""

    def subscribe(self, listener: Callable[[ObjectKey, RejectedResource], None]) -> None:
        """Have objects told whose result was rejected."""


class ReplicaService:
    """A ``Service``; ``handler`` is what gRPC servers are given.

    Args:
        gatekeeper: says who is calling.
        member: the identity that replicas show each other.
        deliveries: of our own proxies.
        is_applied: whether our store has this generation of an object.
    """

    name = "replicas"

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        member: Spiffe,
        deliveries: ToldDeliveries,
        is_applied: Callable[[ObjectKey, int], bool],
    ) -> None:
        self._gatekeeper = gatekeeper
        self._member = member
        self._deliveries = deliveries
        self._is_applied = is_applied
        self._talks: dict[_Talk, None] = {}
        deliveries.subscribe(self._rejected)

    async def __aenter__(self) -> Self:
        """Nothing to bind: the gRPC servers do."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to release."""

    async def run(self) -> None:
        """Until cancelled; then end the streams, which would hold up the servers' end."""
        try:
            await asyncio.Event().wait()
        finally:
            for talk in self._talks:
                talk.end()

    def handler(self, via: Listener) -> grpc.GenericRpcHandler[bytes, bytes]:
        """The gRPC handler for one door."""
        method = grpc.stream_stream_rpc_method_handler(partial(self._follow, via))
        return grpc.method_handlers_generic_handler(SERVICE, {METHOD: method})

    async def _follow(self, via: Listener, _requests: object, context: _Context) -> None:
        await self._admit(via, context)
        await context.write(encode(()))  # the other side is heard
        talk = _Talk(context, Asked(self._deliveries, self._is_applied))
        wrong = ""
        with self._listed(talk):
            try:
                await first_of(talk.listen(), talk.tell(), talk.ended.wait())
            except* MessageError as group:
                wrong = str(group.exceptions[0])
        if wrong:  # an error raised where another is handled would come out as a group of both
            await abort(context, grpc.StatusCode.INVALID_ARGUMENT, wrong)

    @contextlib.contextmanager
    def _listed(self, talk: _Talk) -> Iterator[None]:
        self._talks[talk] = None
        for key, what in self._deliveries.rejected():
            talk.rejected(Rejected(name_of(key), what))
        try:
            yield
        finally:
            del self._talks[talk]

    async def _admit(self, via: Listener, context: _Context) -> None:
        """Let nobody in but a replica: what is told here names objects and proxies of the whole mesh."""
        pairs = ((str(key), value) for key, value in context.invocation_metadata() or ())
        credentials = Credentials.read(via, context.peer(), pairs)
        try:
            caller = await self._gatekeeper.authenticate(credentials)
        except UnauthenticatedError as refusal:
            _log.warning("caller is no replica", peer=credentials.peer, reason=str(refusal))
            await abort(context, grpc.StatusCode.UNAUTHENTICATED, "authentication failure")
        except UndecidedError as undecided:
            _log.warning("caller cannot be authenticated now", peer=credentials.peer, reason=str(undecided))
            await abort(context, grpc.StatusCode.UNAVAILABLE, "cannot authenticate now, try again later")
        if caller.kind is not CallerKind.CLIENT_CERTIFICATE or self._member not in caller.identities:
            known = ", ".join(map(str, caller.identities)) or "nobody"
            _log.warning("caller is no replica", peer=credentials.peer, identity=known)
            await abort(context, grpc.StatusCode.PERMISSION_DENIED, f"only for replicas of {self._member.namespace}")

    def _rejected(self, key: ObjectKey, what: RejectedResource) -> None:
        for talk in self._talks:
            talk.rejected(Rejected(name_of(key), what))


class _Talk:
    """One stream."""

    def __init__(self, context: _Context, asked: Asked) -> None:
        self.ended = asyncio.Event()
        self._context = context
        self._asked = asked
        self._news = asyncio.Event()
        self._rejected: list[Rejected] = []

    def end(self) -> None:
        self.ended.set()

    def rejected(self, what: Rejected) -> None:
        if len(self._rejected) < _REJECTED_KEPT:
            self._rejected.append(what)
            self._news.set()

    async def listen(self) -> bool:
        """Take questions until there are no more to come."""
        while True:
            data: object = await self._context.read()
            if not isinstance(data, bytes):  # grpc.aio.EOF
                return True
            self._asked.take(decode_questions(data))
            self._news.set()

    async def tell(self) -> bool:
        """Look soon after a question, then later and later: nobody tells when a proxy acknowledges."""
        delays = backoff_delays(first_s=_FIRST_S, max_s=_MAX_S, jitter=0.0)
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(next(delays) if self._asked else None):
                    await self._news.wait()
            if self._news.is_set():
                self._news.clear()
                delays = backoff_delays(first_s=_FIRST_S, max_s=_MAX_S, jitter=0.0)
            rejected, self._rejected = self._rejected, []
            answers: list[Answer] = [*rejected, *self._asked.look()]
            if answers:
                await self._context.write(encode(answers))
