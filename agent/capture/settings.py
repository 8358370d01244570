"""What capture is told, checked: every mistake is found before anything is touched."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import IPv4Network, ip_network
from typing import Any, Final

import msgspec

from agent.capture.flags import raw_values
from agent.capture.rules import Family
from agent.settings import SettingsError
from discovery.wire.durations import parse_duration

__all__ = ["OUTBOUND_MARK", "ApplySettings", "CaptureSettings", "HostFacts", "Mode", "load_capture_settings"]

OUTBOUND_MARK: Final = 1338
"""What Envoy sends to its own workload by the pod's address is marked with; Istio's number."""

_MAX_GROUPS: Final = 64
_INTERFACE: Final = re.compile(r"[^\s/,!]{1,15}\Z")
_OWNER: Final = re.compile(r"[0-9]+\Z|[A-Za-z_][A-Za-z0-9_.-]*\$?\Z")
_BOOLEANS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}


class Mode(StrEnum):
    """How inbound traffic gets to the proxy."""

    REDIRECT = "REDIRECT"
    TPROXY = "TPROXY"


class HostFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What only the host can tell.

    Attributes:
        families: those of its addresses, without loopback and link-local ones.
        dns_servers: addresses of the servers in resolv.conf.
        proxy_uid: the user id of ``$ENVOY_USER``; empty if there is no such user.
    """

    families: frozenset[Family] = frozenset({Family.IPV4})
    dns_servers: tuple[str, ...] = ()
    proxy_uid: str = ""


class CaptureSettings(msgspec.Struct, frozen=True, kw_only=True):
    """All that the plan depends on. ``*`` among ports, ranges or groups stands for all of them."""

    outbound_port: int = 15001
    inbound_port: int = 15006
    tunnel_port: int = 15008
    uids: tuple[str, ...] = ("1337",)
    gids: tuple[str, ...] = ("1337",)
    mode: Mode = Mode.REDIRECT
    inbound_ports: tuple[str, ...] = ()
    excluded_inbound_ports: tuple[int, ...] = ()
    tproxy_mark: int = 1337
    tproxy_route_table: int = 133
    drop_invalid: bool = False
    outbound_ranges: tuple[str, ...] = ()
    excluded_outbound_ranges: tuple[str, ...] = ()
    outbound_ports: tuple[int, ...] = ()
    excluded_outbound_ports: tuple[int, ...] = ()
    excluded_interfaces: tuple[str, ...] = ()
    virtual_interfaces: tuple[str, ...] = ()
    owner_groups: tuple[str, ...] = ("*",)
    excluded_owner_groups: tuple[str, ...] = ()
    loopback_cidr: str = "127.0.0.1/32"
    redirect_dns: bool = False
    capture_all_dns: bool = False
    dns_servers: tuple[str, ...] = ()
    ipv6: bool = False


class ApplySettings(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done with the plan. ``iptables_binary``: ``legacy``, ``nft`` or empty."""

    dry_run: bool = False
    skip_rule_apply: bool = False
    reconcile: bool = False
    force_apply: bool = False
    cleanup_only: bool = False
    native_nftables: bool = False
    iptables_binary: str = ""
    network_namespace: str = ""
    run_validation: bool = False
    probe_port: int = 15002
    probe_timeout_s: float = 5.0


class _Reader:
    """Turns texts into values and collects what is wrong with them."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.findings: list[str] = []

    def text(self, field: str) -> str:
        return str(self._values[field]).strip()

    def items(self, field: str) -> list[str]:
        """The parts of a comma list, without empty ones."""
        return [part.strip() for part in self.text(field).split(",") if part.strip()]

    def wrong(self, field: str, text: str, wanted: str) -> None:
        self.findings.append(f"{field.replace('_', ' ')}: {text!r}, want {wanted}")

    def boolean(self, field: str) -> bool:
        text = self.text(field)
        if text not in _BOOLEANS:
            self.wrong(field, text, "true or false")
        return _BOOLEANS.get(text, False)

    def number(self, field: str, *, low: int, high: int, text: str | None = None) -> int:
        text = self.text(field) if text is None else text
        try:
            number = int(text, 0)
        except ValueError:
            number = low - 1
        if not low <= number <= high:
            self.wrong(field, text, f"a number from {low} to {high}")
        return number

    def port(self, field: str) -> int:
        return self.number(field, low=1, high=65535)

    def ports(self, field: str) -> tuple[int, ...]:
        return tuple(self.number(field, low=1, high=65535, text=text) for text in self.items(field))

    def ports_or_all(self, field: str) -> tuple[str, ...]:
        if self.text(field) == "*":
            return ("*",)
        return tuple(str(port) for port in self.ports(field))

    def named(self, field: str, pattern: re.Pattern[str], wanted: str) -> tuple[str, ...]:
        items = self.items(field)
        for item in items:
            if not pattern.match(item):
                self.wrong(field, item, wanted)
        return tuple(items)

    def ranges(self, field: str, *, all_allowed: bool) -> tuple[str, ...]:
        items = self.items(field)
        if items == ["*"] and all_allowed:
            return ("*",)
        return tuple(self._range(field, item) for item in items)

    def _range(self, field: str, text: str) -> str:
        try:
            ip_network(text, strict=False)
        except ValueError:
            hint = "a range such as 10.0.0.0/8"
            self.wrong(field, text, f"{hint}; leave it empty to exclude none" if text == "*" else hint)
            return text
        return text if "/" in text else f"{text}/{128 if ':' in text else 32}"


def load_capture_settings(
    given: Mapping[str, Any], environ: Mapping[str, str], host: HostFacts
) -> tuple[CaptureSettings, ApplySettings, tuple[str, ...]]:
    """The plan's settings, the shell's, and warnings.

    Args:
        given: flags on the command line, by field; None where it says nothing.

    Raises:
        SettingsError: something cannot be as told; with all that is wrong.
    """
    reader = _Reader(raw_values(given, environ))
    apply = _apply_settings(reader)
    capture = _capture_settings(reader, host)
    warnings = []
    if capture.redirect_dns and not capture.capture_all_dns and not host.dns_servers:
        warnings.append("DNS is not captured: resolv.conf names no server; use --capture-all-dns to capture any")
        capture = msgspec.structs.replace(capture, redirect_dns=False)
    _check(reader, capture)
    if reader.findings:
        raise SettingsError(reader.findings)
    return capture, apply, tuple(warnings)


def _capture_settings(reader: _Reader, host: HostFacts) -> CaptureSettings:
    owner = "numbers or names"
    uids = reader.named("uids", _OWNER, owner) or (host.proxy_uid or "1337",)
    return CaptureSettings(
        outbound_port=reader.port("outbound_port"),
        inbound_port=reader.port("inbound_port"),
        tunnel_port=reader.port("tunnel_port"),
        uids=uids,
        gids=reader.named("gids", _OWNER, owner) or uids,
        mode=Mode.TPROXY if reader.text("mode") == Mode.TPROXY else Mode.REDIRECT,
        inbound_ports=reader.ports_or_all("inbound_ports"),
        excluded_inbound_ports=reader.ports("excluded_inbound_ports"),
        tproxy_mark=reader.number("tproxy_mark", low=1, high=2**32 - 1),
        tproxy_route_table=reader.number("tproxy_route_table", low=1, high=2**32 - 1),
        drop_invalid=reader.boolean("drop_invalid"),
        outbound_ranges=reader.ranges("outbound_ranges", all_allowed=True),
        excluded_outbound_ranges=reader.ranges("excluded_outbound_ranges", all_allowed=False),
        outbound_ports=reader.ports("outbound_ports"),
        excluded_outbound_ports=reader.ports("excluded_outbound_ports"),
        excluded_interfaces=reader.named("excluded_interfaces", _INTERFACE, "names of at most 15 characters"),
        virtual_interfaces=reader.named("virtual_interfaces", _INTERFACE, "names of at most 15 characters"),
        owner_groups=_owner_groups(reader),
        excluded_owner_groups=reader.named("excluded_owner_groups", _OWNER, owner),
        loopback_cidr=reader.text("loopback_cidr"),
        redirect_dns=reader.boolean("redirect_dns"),
        capture_all_dns=reader.boolean("capture_all_dns"),
        dns_servers=host.dns_servers,
        ipv6=Family.IPV6 in host.families and (reader.boolean("dual_stack") or Family.IPV4 not in host.families),
    )


def _owner_groups(reader: _Reader) -> tuple[str, ...]:
    if reader.text("owner_groups") == "*":
        return ("*",)
    groups = reader.named("owner_groups", _OWNER, "numbers or names")
    if len(groups) > _MAX_GROUPS:
        reader.wrong("owner_groups", f"{len(groups)} groups", f"at most {_MAX_GROUPS}: they all go into one rule")
    return groups


def _apply_settings(reader: _Reader) -> ApplySettings:
    binary = reader.text("iptables_binary")
    if binary not in ("", "legacy", "nft"):
        reader.wrong("iptables_binary", binary, "legacy, nft or nothing")
    try:
        timeout_s = parse_duration(reader.text("probe_timeout"))
    except ValueError:
        timeout_s = 0.0
    if timeout_s <= 0:
        reader.wrong("probe_timeout", reader.text("probe_timeout"), "a duration such as 5s")
    return ApplySettings(
        dry_run=reader.boolean("dry_run"),
        skip_rule_apply=reader.boolean("skip_rule_apply"),
        reconcile=reader.boolean("reconcile"),
        force_apply=reader.boolean("force_apply"),
        cleanup_only=reader.boolean("cleanup_only"),
        native_nftables=reader.boolean("native_nftables"),
        iptables_binary=binary,
        network_namespace=reader.text("network_namespace"),
        run_validation=reader.boolean("run_validation"),
        probe_port=reader.port("probe_port"),
        probe_timeout_s=timeout_s,
    )


def _check(reader: _Reader, settings: CaptureSettings) -> None:
    try:
        loopback = ip_network(settings.loopback_cidr)
        fits = isinstance(loopback, IPv4Network) and loopback.is_loopback and loopback.prefixlen >= 8
    except ValueError:
        fits = False
    if not fits:
        reader.wrong("loopback_cidr", settings.loopback_cidr, "IPv4 loopback from 127.0.0.0/8 to /32")
    if settings.mode is Mode.TPROXY and settings.tproxy_mark == OUTBOUND_MARK:
        reader.wrong("tproxy_mark", str(OUTBOUND_MARK), "another number: this one marks what Envoy sends to itself")
    if len({settings.outbound_port, settings.inbound_port, settings.tunnel_port}) < 3:
        ports = f"{settings.outbound_port}, {settings.inbound_port}, {settings.tunnel_port}"
        reader.wrong("ports", ports, "three different ports for outbound, inbound and tunnel")
