"""The DNS proxy, wired as the settings and the host's ``resolv.conf`` say; most workloads have none."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import random
from typing import Any, Final

import msgspec

from agent.dns.intercept import NameTableIntercept
from agent.dns.metrics import DnsMetrics
from agent.dns.plan import OWN_RESOLV_CONF, RESOLV_CONF, DnsPlan, plan_dns, split_listen
from agent.dns.resolv_conf import parse_resolv_conf
from agent.dns.resolver import Resolver
from agent.dns.server import DnsServer, DnsServerOptions
from agent.dns.table import Place
from agent.dns.upstream import Upstream, UpstreamOptions
from agent.metrics import Registry
from agent.settings import Settings
from discovery.runtime.clock import Clock
from discovery.runtime.logs import get_logger
from discovery.wire.node import NodeType

__all__ = ["DnsProxy", "DnsProxyError", "build_dns_proxy", "wants_dns_proxy"]

_LOG: Final = get_logger("dns")
_TRUE: Final = frozenset({"1", "t", "true"})


class DnsProxyError(RuntimeError):
    """The DNS proxy cannot start as told; the text says why and what to do."""


class DnsProxy(msgspec.Struct, frozen=True):
    """The server, and the consumer of the name table that it answers by."""

    server: DnsServer
    intercept: NameTableIntercept


def wants_dns_proxy(role: NodeType, metadata: Mapping[str, Any]) -> bool:
    """Whether this proxy's node metadata ask for one: a sidecar that captures DNS, or any that is told to serve it."""

    def told(key: str) -> bool:
        return str(metadata.get(key, "")).lower() in _TRUE

    return (role is NodeType.SIDECAR and told("DNS_CAPTURE")) or told("ENABLE_DNS_SERVER")


def build_dns_proxy(settings: Settings, *, low_port: bool, clock: Clock, registry: Registry) -> DnsProxy:
    """The proxy and what feeds it. ``low_port``: whether this process may bind port 53.

    Raises:
        DnsProxyError: the address is none, or the host's resolver configuration cannot be read.
    """
    env = settings.env
    plan = _plan(env.dns_proxy_addr, low_port=low_port)
    metrics = DnsMetrics(registry)
    options = UpstreamOptions(
        servers=plan.servers, timeout_s=env.dns_forward_timeout_s, parallel=env.dns_forward_parallel
    )
    upstream = Upstream(options, metrics, monotonic=clock.monotonic)
    resolver = Resolver(metrics, monotonic=clock.monotonic, chance=random, needs_table=plan.needs_table)
    server = DnsServer(DnsServerOptions(listen=plan.listen), resolver, upstream, metrics=metrics)
    place = Place.of(env.pod_namespace, settings.domain, plan.search)
    _LOG.info(
        "DNS proxy",
        listen=" ".join(f"{host}:{port}" for host, port in plan.listen),
        upstream=" ".join(upstream_server.host for upstream_server in plan.servers) or "none",
    )
    return DnsProxy(server, NameTableIntercept(resolver, place))


def _plan(address: str, *, low_port: bool) -> DnsPlan:
    try:
        host, port, warning = split_listen(address, low_port=low_port)
    except ValueError as error:
        raise DnsProxyError(str(error)) from error
    if warning:
        _LOG.error("address of the DNS proxy ignored", reason=warning)
    path = Path(RESOLV_CONF)
    if port == 53 and Path(OWN_RESOLV_CONF).exists():
        path = Path(OWN_RESOLV_CONF)
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise DnsProxyError(f"{path}: {error.strerror or error}; the DNS proxy asks its name servers") from error
    return plan_dns(host, port, parse_resolv_conf(text))
