"""An upstream resolver whose answers the test writes, by UDP and TCP on one loopback port, and a client to ask with.

Messages are built and read by dnspython, so that what our codec writes is read by another one.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Final, Self

import dns.message
import dns.rcode
import dns.rrset

__all__ = ["FakeResolver", "Reply", "address_reply", "ask_tcp", "ask_udp", "nxdomain", "question"]

# Of a question as it came, and whether by TCP: the answer, or None to stay silent.
Reply = Callable[[dns.message.Message, bool], dns.message.Message | bytes | None]

_WITHIN_S: Final = 5


def nxdomain(query: dns.message.Message, *, ttl: int = 0) -> dns.message.Message:
    """There is no such name; with ``ttl`` it may be remembered for so long."""
    response = dns.message.make_response(query)
    response.set_rcode(dns.rcode.NXDOMAIN)
    if ttl:
        response.authority.append(
            dns.rrset.from_text("example.", ttl, "IN", "SOA", f"ns.example. admin.example. 1 2 3 4 {ttl}")
        )
    return response


def address_reply(query: dns.message.Message, *addresses: str) -> dns.message.Message:
    """An answer with IPv4 addresses."""
    response = dns.message.make_response(query)
    response.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", *addresses))
    return response


class FakeResolver(asyncio.DatagramProtocol):
    """Records what it is asked and answers as ``reply`` says."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.asked: list[tuple[str, str]] = []  # name and type
        self.port = 0
        self.last_client: tuple[str, int] = ("", 0)  # of the last question by UDP
        self._server: asyncio.Server | None = None
        self.transport: asyncio.DatagramTransport | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.transport is not None:
            self.transport.close()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:
        """A question by UDP."""
        self.last_client = (str(addr[0]), addr[1])
        answer = self._answer(data, tcp=False)
        if answer is not None and self.transport is not None:
            self.transport.sendto(answer, addr)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                data = await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
                answer = self._answer(data, tcp=True)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2) + answer)
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    def _answer(self, data: bytes, *, tcp: bool) -> bytes | None:
        query = dns.message.from_wire(data)
        name, kind = query.question[0].name.to_text(), query.question[0].rdtype
        self.asked.append((name, kind.name))
        reply = self.reply(query, tcp)
        return reply.to_wire(max_size=65535) if isinstance(reply, dns.message.Message) else reply


def question(name: str, kind: str = "A", *, edns: int = 0, id: int = 7) -> dns.message.QueryMessage:
    """A question; ``edns``: the largest answer by UDP, 0 without EDNS."""
    query = dns.message.make_query(name, kind, use_edns=0 if edns else -1, payload=edns or 1232)
    query.id = id
    return query


async def ask_udp(address: tuple[str, int], data: bytes) -> bytes:
    """The answer to a datagram."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(0)
        client.connect(address)
        async with asyncio.timeout(_WITHIN_S):
            await loop.sock_sendall(client, data)
            return await loop.sock_recv(client, 65535)


async def ask_tcp(address: tuple[str, int], data: bytes) -> bytes:
    """The answer to a message by TCP."""
    async with asyncio.timeout(_WITHIN_S):
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write(len(data).to_bytes(2) + data)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2)))
        finally:
            writer.close()
