"""What capture needs besides rules: routes that bring marked packets to this host, and the second IPv6 loopback.

Kernels take a second equal rule without complaint, so what is there is asked for first.
"""

from __future__ import annotations

from typing import Final

from agent.capture.processes import Runner, must
from agent.capture.rules import LOOPBACK, Family
from agent.capture.settings import CaptureSettings, Mode

__all__ = ["add_routing", "remove_routing"]

_FLAG: Final = {Family.IPV4: "-4", Family.IPV6: "-6"}
# Envoy's inbound passthrough binds to it; IPv4 has all of 127.0.0.0/8 on loopback, IPv6 only one address.
_PASSTHROUGH: Final = "::6/128"


def _rule(settings: CaptureSettings) -> tuple[str, ...]:
    return ("fwmark", str(settings.tproxy_mark), "lookup", str(settings.tproxy_route_table))


def _route(settings: CaptureSettings) -> tuple[str, ...]:
    return ("local", "default", "dev", LOOPBACK, "table", str(settings.tproxy_route_table))


def _has_rule(family: Family, settings: CaptureSettings, runner: Runner) -> bool:
    listed = runner.run(("ip", _FLAG[family], "rule", "list")).output
    wanted = f"fwmark {settings.tproxy_mark:#x} lookup {settings.tproxy_route_table}"
    return any(line.strip().endswith(wanted) for line in listed.splitlines())


def add_routing(settings: CaptureSettings, runner: Runner) -> None:
    """Make what is missing; a second call changes nothing.

    Raises:
        CaptureError: ``ip`` is missing or refuses.
    """
    families = (Family.IPV4, Family.IPV6) if settings.ipv6 else (Family.IPV4,)
    for family in families if settings.mode is Mode.TPROXY else ():
        if not _has_rule(family, settings, runner):
            must(runner, ("ip", _FLAG[family], "rule", "add", *_rule(settings)))
        must(runner, ("ip", _FLAG[family], "route", "replace", *_route(settings)))
    if settings.ipv6:
        must(runner, ("ip", "-6", "addr", "replace", _PASSTHROUGH, "dev", LOOPBACK))


def remove_routing(settings: CaptureSettings, runner: Runner) -> None:
    """Remove whatever of it is there, in both families and whatever the mode is now.

    Raises:
        CaptureError: ``ip`` refuses; where it is missing there is nothing to remove.
    """
    for family in Family:
        if _has_rule(family, settings, runner):
            must(runner, ("ip", _FLAG[family], "rule", "del", *_rule(settings)))
        table = ("table", str(settings.tproxy_route_table))
        if f"local default dev {LOOPBACK}" in runner.run(("ip", _FLAG[family], "route", "show", *table)).output:
            must(runner, ("ip", _FLAG[family], "route", "del", *_route(settings)))
    if f"inet6 {_PASSTHROUGH}" in runner.run(("ip", "-6", "addr", "show", "dev", LOOPBACK)).output:
        must(runner, ("ip", "-6", "addr", "del", _PASSTHROUGH, "dev", LOOPBACK))
