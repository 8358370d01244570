"""The agent's DNS proxy as a test runs it: on a free loopback port, with table and resolvers of the test's choice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from agent.dns.intercept import NameTableIntercept
from agent.dns.metrics import DnsMetrics
from agent.dns.resolver import Resolver
from agent.dns.server import DnsServer, DnsServerOptions
from agent.dns.table import Place
from agent.dns.upstream import Server, Upstream, UpstreamOptions
from tests.kit.fake_clock import FakeClock
from tests.kit.name_table import write_name_table

__all__ = ["DnsProxy", "dns_proxy"]

PLACE = Place.of("ns1", "ns1.svc.cluster.local", ("ns1.svc.cluster.local", "svc.cluster.local", "cluster.local"))


class DnsProxy:
    """A running proxy and its parts."""

    def __init__(self, server: DnsServer, resolver: Resolver, metrics: DnsMetrics, clock: FakeClock) -> None:
        self.server = server
        self.resolver = resolver
        self.metrics = metrics
        self.clock = clock
        self.address = server.addresses[0]


@asynccontextmanager
async def dns_proxy(
    table: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    ports: Sequence[int] = (),
    place: Place = PLACE,
    timeout_s: float = 5,
    **options: Any,
) -> AsyncIterator[DnsProxy]:
    """Run a proxy.

    Args:
        table: the name table by host; None: none has come yet.
        ports: of upstream resolvers on 127.0.0.1.
        place: where the proxy lives.
        timeout_s: that each resolver has.
        options: of ``DnsServerOptions``, and ``parallel`` of ``UpstreamOptions``.
    """
    metrics, clock = DnsMetrics(), FakeClock()
    resolver = Resolver(metrics, monotonic=clock.monotonic, chance=lambda: 0.0)
    servers = tuple(Server("127.0.0.1", port) for port in ports)
    parallel = options.pop("parallel", False)
    upstream = Upstream(
        UpstreamOptions(servers=servers, timeout_s=timeout_s, parallel=parallel), metrics, monotonic=clock.monotonic
    )
    if table is not None:
        NameTableIntercept(resolver, place).handle(write_name_table(table))
    listen = options.pop("listen", (("127.0.0.1", 0),))
    server = DnsServer(DnsServerOptions(listen=listen, **options), resolver, upstream, metrics=metrics)
    async with server, asyncio.TaskGroup() as group:
        running = group.create_task(server.run())
        yield DnsProxy(server, resolver, metrics, clock)
        running.cancel()
