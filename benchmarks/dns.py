"""``python -m benchmarks.dns``: the DNS proxy under load, beside a resolver asked directly, and what reaches that one.

The resolver upstream is a bare loop over a socket with ready answers: what stands in a cluster cannot be faster, so the
figures flatter it. Load at a rate is open: questions leave whatever comes back, and what does not come back is told.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from agent.dns.intercept import NameTableIntercept
from agent.dns.messages import wire_name
from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Resolver
from agent.dns.server import DnsServer, DnsServerOptions
from agent.dns.table import Place
from agent.dns.upstream import Server, Upstream, UpstreamOptions
from benchmarks.accounting import usage
from benchmarks.report import render_table
from benchmarks.rows import Row, row
from discovery.runtime.logs import configure_logging
from discovery.wire.protowire import bytes_field, string_field

__all__ = ["main", "measure_dns"]

SEARCH = ("shop.svc.cluster.local", "svc.cluster.local", "cluster.local")
NDOTS = 5
SERVICES = 1000
A, AAAA = 1, 28


def _name_table() -> bytes:
    """A thousand services, and one host of a ServiceEntry."""
    entries = [string_field(1, "api.example") + bytes_field(2, string_field(1, "240.240.0.9"))]
    for number in range(SERVICES):
        info = string_field(1, f"10.96.{number // 250}.{number % 250 + 1}") + string_field(2, "Kubernetes")
        info += string_field(3, f"svc-{number}") + string_field(4, "shop")
        entries.append(string_field(1, f"svc-{number}.shop.svc.cluster.local") + bytes_field(2, info))
    return b"".join(bytes_field(1, entry) for entry in entries)


async def _proxy(upstream_port: int) -> None:
    """The DNS proxy alone, as the agent runs it; says its port."""
    configure_logging(plain=True)
    metrics = DnsMetrics()
    resolver = Resolver(metrics, monotonic=time.monotonic, chance=lambda: 0.5)
    options = UpstreamOptions(servers=(Server("127.0.0.1", upstream_port),))
    upstream = Upstream(options, metrics, monotonic=time.monotonic)
    place = Place.of("shop", "shop.svc.cluster.local", SEARCH)
    before = _rss_kb()
    NameTableIntercept(resolver, place).handle(_name_table())
    async with DnsServer(DnsServerOptions(listen=(("127.0.0.1", 0),)), resolver, upstream, metrics=metrics) as server:
        print(server.addresses[0][1], _rss_kb() - before, flush=True)
        await server.run()


def _rss_kb() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize() // 1024


def _upstream() -> None:
    """A resolver: names of the cluster and www.example.org exist, all others do not; counts, and tells when asked."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as bound:
        bound.bind(("127.0.0.1", 0))
        print(bound.getsockname()[1], flush=True)
        asked = 0
        soa = b"\0\x00\x06\x00\x01\x00\x00\x00\x1e\x00\x16\0\0" + bytes(16) + (30).to_bytes(4)
        while True:
            data, client = bound.recvfrom(4096)
            if len(data) == 1:
                bound.sendto(asked.to_bytes(8), client)
                continue
            asked += 1
            end = data.index(b"\0", 12)
            name, kind = data[12 : end + 1].lower(), data[end + 2]
            exists = (
                name.endswith(b"\x03svc\x07cluster\x05local\0") and name.count(b"\x03svc") == 1 and name[1:5] == b"svc-"
            )
            exists = exists and name.count(b"\x05local") == 1
            if exists or name == b"\x03www\x07example\x03org\0":
                record = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x1e\x00\x04\x0a\x00\x00\x01" if kind == A else b""
                head = (
                    data[:2] + b"\x81\x80\0\1\0" + bytes((bool(record),)) + (b"\0\0" if record else b"\0\1") + b"\0\0"
                )
                bound.sendto(head + data[12 : end + 5] + (record or soa), client)
            else:
                bound.sendto(data[:2] + b"\x81\x83\0\1\0\0\0\1\0\0" + data[12 : end + 5] + soa, client)


class Figure(NamedTuple):
    """What came of a load."""

    sent: int
    lost: int
    rate: float  # answers a second
    p50_ms: float
    p99_ms: float


def _question(name: str, kind: int) -> bytes:
    wire = wire_name(name) or b"\0"
    return b"\x01\0\0\1\0\0\0\0\0\0" + wire + kind.to_bytes(2) + b"\0\1"


def load(port: int, names: Sequence[str], *, rate: int, seconds: float, outstanding: int = 0) -> Figure:
    """Ask for a while. ``rate``: questions a second, 0: as many as ``outstanding`` at a time allow."""
    questions = [_question(name, A) for name in names]
    times: list[float] = []
    sent_at: dict[bytes, float] = {}
    sent = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        client.connect(("127.0.0.1", port))
        client.settimeout(0)
        started = time.perf_counter()
        now = started
        while now < started + seconds:
            due = int((now - started) * rate) if rate else sent + outstanding - len(sent_at)
            while sent < due:
                number = (sent % 65536).to_bytes(2)
                sent_at[number] = time.perf_counter()
                client.send(number + questions[sent % len(questions)])
                sent += 1
            _receive(client, sent_at, times, 0.0002)
            now = time.perf_counter()
        elapsed = now - started
        while sent_at and _receive(client, sent_at, times, 0.5):
            pass
    times.sort()
    return Figure(
        sent,
        sent - len(times),
        len(times) / elapsed,
        times[len(times) // 2] * 1000,
        times[int(len(times) * 0.99)] * 1000,
    )


def _receive(client: socket.socket, sent_at: dict[bytes, float], times: list[float], wait_s: float) -> bool:
    if not select.select([client], [], [], wait_s)[0]:
        return False
    while True:
        try:
            data = client.recv(4096)
        except BlockingIOError:
            return True
        began = sent_at.pop(data[:2], None)
        if began is not None:
            times.append(time.perf_counter() - began)


def resolve(port: int, name: str) -> int:
    """How a C library resolves a name for both families; gives how many questions it asked."""
    listed = [f"{name}.{domain}" for domain in SEARCH]
    names = [name, *listed] if name.count(".") >= NDOTS else [*listed, name]
    asked = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(2)
        for candidate in names:
            answers = 0
            for kind in (A, AAAA):
                asked += 1
                client.send(asked.to_bytes(2) + _question(candidate, kind))
                answers += int.from_bytes(client.recv(4096)[6:8])
            if answers:
                break
    return asked


def count(upstream_port: int) -> int:
    """How many questions the resolver has had."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", upstream_port))
        client.settimeout(2)
        client.send(b"?")
        return int.from_bytes(client.recv(8))


STORM = {
    "short_name": "svc-1",
    "name_and_namespace": "svc-2.shop",
    "full_name": "svc-3.shop.svc.cluster.local",
    "service_entry_host": "api.example",
    "external_name": "www.example.org",
    "external_name_that_does_not_exist": "nothing.example.org",
}


@contextmanager
def _child(*arguments: str) -> Iterator[tuple[int, list[int]]]:
    """A process of this module; gives its id and the numbers that it printed first."""
    with subprocess.Popen([sys.executable, "-m", __spec__.name, *arguments], stdout=subprocess.PIPE) as child:
        try:
            yield child.pid, [int(word) for word in _first_line(child).split()]
        finally:
            child.terminate()


def _first_line(child: subprocess.Popen[bytes]) -> bytes:
    return child.stdout.readline() if child.stdout is not None else b""


def measure_dns(*, rate: int = 10_000, seconds: float = 3) -> list[Row]:
    """Rows: the proxy beside the resolver alone at a rate and as fast as it goes, and what reaches the resolver."""
    with (
        _child("--role", "upstream") as (_, (up,)),
        _child("--role", "proxy", "--port", str(up)) as (pid, (port, grew)),
    ):
        table = row("dns_name_table_memory", f"DNS proxy, {SERVICES + 1} hosts", grew / 1e3, "MB")
        return [table, *_under_load(up, port, pid, rate, seconds), *_storm(up, port)]


def _under_load(up: int, port: int, pid: int, rate: int, seconds: float) -> Iterator[Row]:
    mesh = [f"svc-{number}.shop.svc.cluster.local" for number in range(SERVICES)]
    forwarded = ["www.example.org"]
    for name, target, names, at in (
        ("dns_resolver_alone", up, mesh, rate),
        ("dns_mesh_names", port, mesh, rate),
        ("dns_forwarded_names", port, forwarded, rate // 5),
        ("dns_resolver_alone_saturated", up, mesh, 0),
        ("dns_mesh_names_saturated", port, mesh, 0),
        ("dns_forwarded_names_saturated", port, forwarded, 0),
    ):
        title = f"DNS, {at} queries a second for {seconds:g} s" if at else "DNS, 32 queries at a time"
        cpu_s = usage(pid, children=False).cpu_s
        got = load(target, names, rate=at, seconds=seconds, outstanding=32)
        used_s = usage(pid, children=False).cpu_s - cpu_s
        yield row(f"{name}_rate", title, got.rate, "/s")
        yield row(f"{name}_lost", title, got.lost, "")
        yield row(f"{name}_median", title, got.p50_ms, "ms")
        yield row(f"{name}_p99", title, got.p99_ms, "ms")
        if target == port:
            yield row(f"{name}_cpu", title, 1e6 * used_s / got.sent, "us")


def _storm(up: int, port: int) -> Iterator[Row]:
    title = f"queries that reach the resolver: ndots:{NDOTS}, {len(SEARCH)} search domains, A and AAAA"
    for what, name in STORM.items():
        asked = (resolve(up, name), _reaching(up, port, name), _reaching(up, port, name))
        for how, number in zip(("without_agent", "with_agent", "with_agent_again"), asked, strict=True):
            yield row(f"{what}_{how}", title, number, "")


def _reaching(up: int, port: int, name: str) -> int:
    before = count(up)
    resolve(port, name)
    return count(up) - before


def main(argv: Sequence[str]) -> int:
    """Measure and print, or be one of the processes that are measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dns", description=__doc__)
    parser.add_argument("--role", choices=("report", "proxy", "upstream"), default="report")
    parser.add_argument("--port", type=int, default=0, help="of the resolver upstream (role proxy)")
    parser.add_argument("--rate", type=int, default=10_000, help="questions a second (10000)")
    parser.add_argument("--seconds", type=float, default=3, help="of each load (3)")
    chosen = parser.parse_args(argv)
    if chosen.role == "upstream":
        _upstream()
    elif chosen.role == "proxy":
        asyncio.run(_proxy(chosen.port))
    else:
        print(render_table(measure_dns(rate=chosen.rate, seconds=chosen.seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
