"""The sockets of the DNS proxy: questions in by UDP and TCP, answers out.

UDP is read directly from the socket, as many datagrams as there are each time, and what the table knows is answered on
the spot; a transport of asyncio would take one datagram for each turn of the loop. Everything that waits is bounded: a
question too many is refused at once, a connection too many is closed.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack
from functools import partial
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Forward, Resolver
from agent.dns.upstream import Upstream
from discovery.runtime.logs import get_logger

__all__ = ["DnsServer", "DnsServerOptions", "Listen"]

_LOG: Final = get_logger("dns")
_BATCH: Final = 64  # datagrams taken before others have their turn
_LARGEST_QUESTION: Final = 4096
_RECEIVE_BUFFER: Final = 1 << 20
_PORT_ATTEMPTS: Final = 20

Listen = tuple[str, int]  # address and port
_Client = tuple[Any, ...]  # as the kernel names it


class DnsServerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, and what to bear.

    Attributes:
        listen: addresses, all with the same port; 0: any that is free.
        max_questions: waiting for upstream resolvers at a time.
        max_connections: of TCP.
        idle_s: a connection is closed when no question comes for so long, or an answer is not taken.
    """

    listen: tuple[Listen, ...]
    max_questions: int = 1000
    max_connections: int = 200
    idle_s: float = 10.0


class DnsServer:
    """The DNS proxy as a service of the agent (``discovery.runtime.supervise.Service``)."""

    name = "dns proxy"

    def __init__(
        self, options: DnsServerOptions, resolver: Resolver, upstream: Upstream, *, metrics: DnsMetrics
    ) -> None:
        self._options = options
        self._resolver = resolver
        self._upstream = upstream
        self._metrics = metrics
        self._udp: list[socket.socket] = []
        self._tcp: list[socket.socket] = []
        self._waiting = 0
        self._connections = 0

    @property
    def addresses(self) -> tuple[Listen, ...]:
        """Where it listens, with the ports that were chosen."""
        return tuple((str(host), int(port)) for host, port, *_ in (bound.getsockname() for bound in self._udp))

    async def __aenter__(self) -> Self:
        """Bind all addresses, each by UDP and TCP.

        Raises:
            OSError: one of them is taken or not ours; none is bound then.
        """
        for attempt in range(_PORT_ATTEMPTS):
            try:
                self._udp, self._tcp = _bind(self._options.listen)
                return self
            except OSError as error:
                if self._options.listen[0][1] or attempt == _PORT_ATTEMPTS - 1:
                    where = ", ".join(f"{host}:{port}" for host, port in self._options.listen)
                    raise OSError(error.errno, f"DNS proxy at {where}: {error.strerror}; see DNS_PROXY_ADDR") from error
        raise AssertionError("unreachable")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release the sockets."""
        self._upstream.close()
        for bound in (*self._udp, *self._tcp):
            bound.close()

    async def run(self) -> None:
        """Serve until cancelled."""
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group, AsyncExitStack() as stack:
            for bound in self._udp:
                loop.add_reader(bound, self._on_readable, bound, group)
                stack.callback(loop.remove_reader, bound)
            for bound in self._tcp:
                server = await asyncio.start_server(partial(self._on_connection, group), sock=bound, limit=1 << 17)
                stack.callback(server.close)
            await asyncio.Event().wait()

    def _on_connection(
        self, group: asyncio.TaskGroup, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._connections >= self._options.max_connections:
            self._metrics.overflows.inc("connection")
            writer.transport.abort()
            return
        self._connections += 1
        group.create_task(self._serve(reader, writer))

    def _on_readable(self, bound: socket.socket, group: asyncio.TaskGroup) -> None:
        for _ in range(_BATCH):
            try:
                data, client = bound.recvfrom(_LARGEST_QUESTION)
            except BlockingIOError:
                return
            verdict = self._resolver.judge(data)
            if isinstance(verdict, Forward):
                if self._waiting < self._options.max_questions:
                    self._waiting += 1
                    group.create_task(self._forward(bound, verdict, client))
                    continue
                self._metrics.overflows.inc("question")
                verdict = self._resolver.conclude(verdict, None)
            if verdict is not None:
                self._send(bound, verdict, client)

    async def _forward(self, bound: socket.socket, forward: Forward, client: _Client) -> None:
        try:
            answer = await self._conclude(forward, tcp=False)
        finally:
            self._waiting -= 1
        self._send(bound, answer, client)

    async def _conclude(self, forward: Forward, *, tcp: bool) -> bytes:
        try:
            return self._resolver.conclude(forward, await self._upstream.ask(forward, tcp=tcp))
        except Exception as error:  # noqa: BLE001 - the boundary of one question: it fails alone
            _LOG.error("question failed", reason=repr(error))
            return self._resolver.conclude(forward, None)

    def _send(self, bound: socket.socket, answer: bytes, client: _Client) -> None:
        try:
            bound.sendto(answer, client)
        except OSError:
            self._metrics.overflows.inc("answer")  # no room, or the client is gone; it asks again

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, question by question."""
        try:
            while await self._serve_one(reader, writer):
                pass
        except (OSError, EOFError):
            return  # gone, or idle for too long
        finally:
            self._connections -= 1
            writer.close()

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        async with asyncio.timeout(self._options.idle_s):
            data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        verdict = self._resolver.judge(data, tcp=True)
        if isinstance(verdict, Forward):
            verdict = await self._conclude(verdict, tcp=True)
        if verdict is None:
            return False
        async with asyncio.timeout(self._options.idle_s):
            writer.write(len(verdict).to_bytes(2) + verdict)
            await writer.drain()
        return True


def _bind(listen: Sequence[Listen]) -> tuple[list[socket.socket], list[socket.socket]]:
    """UDP and TCP sockets; the first one chooses the port if it is free to choose."""
    with ExitStack() as on_failure:
        udp: list[socket.socket] = []
        tcp: list[socket.socket] = []
        for host, wanted in listen:
            port = wanted or (udp[0].getsockname()[1] if udp else 0)
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            for kind, found in ((socket.SOCK_DGRAM, udp), (socket.SOCK_STREAM, tcp)):
                bound = on_failure.enter_context(socket.socket(family, kind))
                bound.settimeout(0)
                if family == socket.AF_INET6:
                    bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                if kind == socket.SOCK_STREAM:
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                else:
                    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
                bound.bind((host, port))
                port = bound.getsockname()[1]
                if kind == socket.SOCK_STREAM:
                    bound.listen(128)
                found.append(bound)
        on_failure.pop_all()
    return udp, tcp
