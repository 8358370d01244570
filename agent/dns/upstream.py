"""Questions to the host's own resolvers, by the protocol of the client.

Resolvers are tried one after the other in random order, or all at once; the first answer counts, whatever it says. By
UDP a question is sent from a socket that is connected to the resolver and under a random id, so that nobody else can
easily answer in its place. Many questions share a socket, for one each would cost more than the question; it is
replaced after a while, so that its port stays unknown.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine, Sequence
from os import urandom
from random import SystemRandom
from typing import Final, NamedTuple

import msgspec

from agent.dns.messages import MAX_TCP, response_matches
from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Forward

__all__ = ["Server", "Upstream", "UpstreamOptions"]

_QUESTIONS_PER_SOCKET: Final = 1000
_RESEND_AFTER: Final = 0.4  # of the time that a resolver has: datagrams get lost
_BATCH: Final = 64  # datagrams taken before others have their turn


class Server(NamedTuple):
    """The address of a resolver."""

    host: str
    port: int = 53


class UpstreamOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to ask, and how. ``timeout_s``: for each resolver; ``parallel``: all at once, in order of the file."""

    servers: tuple[Server, ...]
    timeout_s: float = 5.0
    parallel: bool = False


class Upstream:
    """The resolvers of the host. Owned by one event loop; ``close`` releases its sockets."""

    def __init__(self, options: UpstreamOptions, metrics: DnsMetrics, *, monotonic: Callable[[], float]) -> None:
        self._options = options
        self._metrics = metrics
        self._monotonic = monotonic
        self._random = SystemRandom()
        self._lines = {server: _Line(server) for server in options.servers}

    def close(self) -> None:
        """Release the sockets; questions under way get no answer."""
        for line in self._lines.values():
            line.close()

    async def ask(self, forward: Forward, *, tcp: bool = False) -> bytes | None:
        """The first answer of any resolver; None: none of them answered."""
        servers: Sequence[Server] = self._options.servers
        if self._options.parallel and len(servers) > 1:
            found = await _first_answer([self._ask_one(server, forward, tcp=tcp) for server in servers])
        else:
            found = None
            for server in self._random.sample(servers, len(servers)):
                found = await self._ask_one(server, forward, tcp=tcp)
                if found is not None:
                    break
        if found is None:
            self._metrics.upstream_failures.inc()
        return found

    async def _ask_one(self, server: Server, forward: Forward, *, tcp: bool) -> bytes | None:
        self._metrics.upstream_requests.inc()
        started = self._monotonic()
        try:
            async with asyncio.timeout(self._options.timeout_s):
                if tcp:
                    response = await _ask_by_tcp(server, forward)
                else:
                    response = await self._lines[server].ask(forward, self._options.timeout_s * _RESEND_AFTER)
        except (OSError, EOFError):  # TimeoutError is an OSError
            return None
        self._metrics.upstream_duration.observe(self._monotonic() - started)
        return response


async def _first_answer(questions: Sequence[Coroutine[None, None, bytes | None]]) -> bytes | None:
    """The first that is an answer; None when all have ended without one."""
    async with asyncio.TaskGroup() as group:
        pending = {group.create_task(question) for question in questions}
        while pending:
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            found = next((task.result() for task in done if task.result() is not None), None)
            if found is not None:
                for task in pending:
                    task.cancel()
                return found
    return None


class _Asked(NamedTuple):
    """A question on its way."""

    sent: bytes
    forward: Forward
    answer: asyncio.Future[bytes]


class _Line:
    """The way to one resolver by UDP: the socket in use; older ones end with their last question."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._current: _Socket | None = None
        self._old: set[_Socket] = set()

    def close(self) -> None:
        for used in (*self._old, self._current):
            if used is not None:
                used.close()

    async def ask(self, forward: Forward, resend_after_s: float) -> bytes:
        """The answer of the resolver. Raises: OSError: it cannot be asked, or answers what nobody may."""
        used = self._socket()
        try:
            return await used.ask(forward, resend_after_s)
        finally:
            if used is not self._current and used.idle:
                self._old.discard(used)
                used.close()

    def _socket(self) -> _Socket:
        current = self._current
        if current is None or current.asked >= _QUESTIONS_PER_SOCKET or current.closed:
            if current is not None and not current.closed:
                self._old.add(current)
                if current.idle:
                    self._old.discard(current)
                    current.close()
            current = self._current = _Socket(self._server)
        return current


class _Socket:
    """A UDP socket connected to a resolver, so that the kernel lets nobody else answer."""

    def __init__(self, server: Server) -> None:
        self.asked = 0
        self.closed = False
        self._questions: dict[bytes, _Asked] = {}
        self._loop = asyncio.get_running_loop()
        self._socket = socket.socket(socket.AF_INET6 if ":" in server.host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.settimeout(0)
            self._socket.connect((server.host, server.port))
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._on_readable)

    @property
    def idle(self) -> bool:
        """Whether no question waits for its answer."""
        return not self._questions

    def close(self) -> None:
        """Release it; questions that wait are told so."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._fail_all(ConnectionAbortedError("the DNS proxy ends"))

    async def ask(self, forward: Forward, resend_after_s: float) -> bytes:
        self.asked += 1
        number = urandom(2)
        while number in self._questions:
            number = urandom(2)
        asked = _Asked(number + forward.data[2:], forward, self._loop.create_future())
        self._questions[number] = asked
        resend = self._loop.call_later(resend_after_s, self._send_again, asked)
        try:
            self._send(asked)
            return await asked.answer
        finally:
            resend.cancel()
            del self._questions[number]

    def _send(self, asked: _Asked) -> None:
        try:
            self._socket.send(asked.sent)
        except BlockingIOError:
            return  # lost, as any datagram may be; it is sent again

    def _send_again(self, asked: _Asked) -> None:
        try:
            self._send(asked)
        except OSError as error:
            _fail(asked, error)

    def _on_readable(self) -> None:
        for _ in range(_BATCH):
            try:
                response = self._socket.recv(MAX_TCP)
            except BlockingIOError:
                return
            except OSError as error:  # nobody listens there
                self._fail_all(error)
                return
            asked = self._questions.get(response[:2])
            if asked is None or asked.answer.done() or not response_matches(response, asked.sent, asked.forward.query):
                continue
            if len(response) > asked.forward.query.size:
                _fail(asked, OSError("the resolver's answer is longer than the question allows"))
            else:
                asked.answer.set_result(response)

    def _fail_all(self, error: OSError) -> None:
        for asked in self._questions.values():
            _fail(asked, error)


def _fail(asked: _Asked, error: OSError) -> None:
    if not asked.answer.done():
        asked.answer.set_exception(error)


async def _ask_by_tcp(server: Server, forward: Forward) -> bytes:
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        sent = urandom(2) + forward.data[2:]
        writer.write(len(sent).to_bytes(2) + sent)
        await writer.drain()
        response = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
    finally:
        writer.close()
    if not response_matches(response, sent, forward.query):
        raise OSError("the resolver's answer is to another question")
    return response
