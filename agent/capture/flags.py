"""Flags and variables of the capture commands as one table: spelling, default, where else the value may come from.

A flag on the command line beats its variable, the variable beats the default. The commands, the settings and the
reference page are made of this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

__all__ = ["FLAGS", "VARIABLES", "Flag", "raw_values"]

_PORTS = "Ports"
_OWNERS = "Whose traffic"
_INBOUND = "Inbound"
_OUTBOUND = "Outbound"
_INTERFACES = "Interfaces"
_DNS = "DNS"
_APPLY = "How rules are applied"
_TEST = "Self-test"
_LOGGING = "Logging"


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """One flag.

    Attributes:
        field: its name in the values.
        short: one letter, or none.
        variable: its environment variable; empty: the flag's name in upper case; None: there is none.
    """

    group: str
    name: str
    field: str
    default: str | int | bool
    text: str
    short: str = ""
    variable: str | None = ""

    @property
    def environment(self) -> str | None:
        """The name of its variable."""
        return self.name.upper().replace("-", "_") if self.variable == "" else self.variable


def _flag(group: str, names: str, field: str, default: str | int, text: str, **more: Any) -> Flag:
    name, _, short = names.partition(" ")
    return Flag(group=group, name=name, short=short, field=field, default=default, text=text, **more)


def _switch(group: str, names: str, field: str, text: str, **more: Any) -> Flag:
    name, _, short = names.partition(" ")
    return Flag(group=group, name=name, short=short, field=field, default=False, text=text, **more)


FLAGS: Final[tuple[Flag, ...]] = (
    _flag(_PORTS, "envoy-port p", "outbound_port", 15001, "Outbound traffic ends here.", variable=None),
    _flag(_PORTS, "inbound-capture-port z", "inbound_port", 15006, "Inbound traffic ends here."),
    _flag(_PORTS, "inbound-tunnel-port e", "tunnel_port", 15008, "Never redirected: tunnels over mutual TLS."),
    _flag(_OWNERS, "proxy-uid u", "uids", "", "Users of the proxy; empty: the user $ENVOY_USER, else 1337."),
    _flag(_OWNERS, "proxy-gid g", "gids", "", "Groups of the proxy; empty: as its users."),
    _flag(_INBOUND, "istio-inbound-interception-mode m", "mode", "", "TPROXY keeps addresses; others: REDIRECT."),
    _flag(_INBOUND, "istio-inbound-ports b", "inbound_ports", "", "Captured ports; * all, empty none."),
    _flag(_INBOUND, "istio-local-exclude-ports d", "excluded_inbound_ports", "", "Not captured, where all others are."),
    _flag(_INBOUND, "istio-inbound-tproxy-mark t", "tproxy_mark", "1337", "Mark of packets in TPROXY mode."),
    _flag(_INBOUND, "istio-inbound-tproxy-route-table r", "tproxy_route_table", "133", "Routing table for them."),
    _switch(_INBOUND, "drop-invalid", "drop_invalid", "Drop packets of no connection.", variable="INVALID_DROP"),
    _flag(_OUTBOUND, "istio-service-cidr i", "outbound_ranges", "", "Captured ranges; * all, empty none."),
    _flag(_OUTBOUND, "istio-service-exclude-cidr x", "excluded_outbound_ranges", "", "Ranges not captured."),
    _flag(_OUTBOUND, "istio-outbound-ports q", "outbound_ports", "", "Captured ports, whatever the range."),
    _flag(_OUTBOUND, "istio-local-outbound-ports-exclude o", "excluded_outbound_ports", "", "Ports not captured."),
    _flag(_INTERFACES, "istio-exclude-interfaces c", "excluded_interfaces", "", "Left alone both ways."),
    _flag(
        _INTERFACES, "kube-virt-interfaces k", "virtual_interfaces", "", "What comes in here is treated as outbound."
    ),
    _switch(
        _DNS,
        "redirect-dns",
        "redirect_dns",
        "Capture DNS to the servers of resolv.conf.",
        variable="ISTIO_META_DNS_CAPTURE",
    ),
    _switch(_DNS, "capture-all-dns", "capture_all_dns", "With --redirect-dns: to any server."),
    _switch(
        _APPLY,
        "dual-stack",
        "dual_stack",
        "IPv6 rules wherever there is an IPv6 address.",
        variable="ISTIO_DUAL_STACK",
    ),
    _switch(_APPLY, "dry-run n", "dry_run", "Only print what would be run."),
    _switch(_APPLY, "skip-rule-apply", "skip_rule_apply", "Make no rules."),
    _switch(_APPLY, "reconcile", "reconcile", "Replace rules that other settings left behind."),
    _switch(_APPLY, "force-apply", "force_apply", "Apply without a look at what is there."),
    _switch(_APPLY, "cleanup-only", "cleanup_only", "Remove all rules and end."),
    _switch(_APPLY, "native-nftables", "native_nftables", "Use nft, in tables of our own."),
    _flag(_APPLY, "force-iptables-binary", "iptables_binary", "", "legacy or nft; empty: look which is in use."),
    _flag(_APPLY, "network-namespace", "network_namespace", "", "File of another network namespace to work in."),
    _switch(_APPLY, "cni-mode", "cni_mode", "Called by a CNI plugin: this host's resolv.conf is not the pod's."),
    _switch(_TEST, "run-validation", "run_validation", "Test whether traffic is captured; status 126 if not."),
    _flag(_TEST, "iptables-probe-port", "probe_port", 15002, "Port that the test asks for."),
    _flag(_TEST, "probe-timeout", "probe_timeout", "5s", "How long the test tries."),
    _flag(_LOGGING, "log_output_level", "log_output_level", "default:info", "Items scope:level.", variable=None),
    _switch(_LOGGING, "log_as_json", "log_as_json", "Log as JSON.", variable=None),
)

# (variable, field, default, meaning) of what has no flag
VARIABLES: Final[tuple[tuple[str, str, str, str], ...]] = (
    ("ISTIO_OUTBOUND_IPV4_LOOPBACK_CIDR", "loopback_cidr", "127.0.0.1/32", "IPv4 loopback that is never captured."),
    ("ISTIO_OUTBOUND_OWNER_GROUPS", "owner_groups", "*", "Groups whose outbound traffic is captured."),
    ("ISTIO_OUTBOUND_OWNER_GROUPS_EXCLUDE", "excluded_owner_groups", "", "Groups whose traffic is not."),
    ("ENVOY_USER", "envoy_user", "istio-proxy", "User of the proxy, where --proxy-uid does not say."),
)


def raw_values(given: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """Each field's value as text or as typed: from ``given`` (flags on the command line), the environment, the default.

    Args:
        given: by field; None, or no entry, where the command line says nothing.
        environ: the environment; a variable that is set but empty says nothing.
    """
    values: dict[str, Any] = {}
    for flag in FLAGS:
        value = given.get(flag.field)
        if value is None and flag.environment:
            value = environ.get(flag.environment) or None
        values[flag.field] = flag.default if value is None else value
    for variable, field, default, _ in VARIABLES:
        values[field] = (
            environ.get(variable, default) if variable.endswith("EXCLUDE") else environ.get(variable) or default
        )
    return values
