"""The order in which a host is changed: routes before the rules that need them, and back the other way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from msgspec.structs import replace

from agent.capture.binaries import Tool, find_tool
from agent.capture.iptables_apply import Manner, apply_iptables, clean_iptables
from agent.capture.nftables_apply import apply_nftables, clean_nftables
from agent.capture.plan import plan_capture
from agent.capture.processes import CaptureError, Runner
from agent.capture.routing import add_routing, remove_routing
from agent.capture.rules import Family, Rule
from agent.capture.settings import ApplySettings, CaptureSettings, Mode

__all__ = ["apply_capture", "clean_capture"]


def apply_capture(settings: CaptureSettings, how: ApplySettings, runner: Runner) -> None:
    """Capture traffic as planned; a second call changes nothing.

    Raises:
        CaptureError: not possible; rules are as before.
    """
    rules = plan_capture(settings)
    if how.native_nftables:
        add_routing(settings, runner)
        apply_nftables(rules, runner)
        return
    manner = Manner.FORCE if how.force_apply else Manner.RECONCILE if how.reconcile else Manner.KEEP
    families = frozenset(Family) if settings.ipv6 else frozenset({Family.IPV4})
    tools = _tools(how, families, runner)
    add_routing(settings, runner)
    apply_iptables(rules, tools, families, runner, manner=manner)


def clean_capture(settings: CaptureSettings, how: ApplySettings, runner: Runner) -> None:
    """Leave the host as it was before; nothing there is fine, too.

    Raises:
        CaptureError: something cannot be removed; with all that was refused.
    """
    steps: list[Callable[[], object]] = [partial(remove_routing, settings, runner)]
    if how.native_nftables:
        steps.insert(0, partial(clean_nftables, runner))
    else:
        rules, tools = _all_modes(settings), _tools(how, frozenset({Family.IPV4}), runner)
        steps = [*(partial(clean_iptables, rules, tool, runner) for tool in tools), *steps]
    failures = []
    for step in steps:
        try:
            step()
        except CaptureError as error:
            failures.append(str(error))
    if failures:
        raise CaptureError("; ".join(failures))


def _all_modes(settings: CaptureSettings) -> tuple[Rule, ...]:
    """Rules of either mode and family: flags of a clean-up are often not those of the start."""
    return tuple(dict.fromkeys(rule for mode in Mode for rule in plan_capture(replace(settings, mode=mode, ipv6=True))))


def _tools(how: ApplySettings, needed: frozenset[Family], runner: Runner) -> list[Tool]:
    """The programs of both families; one that is not needed may be missing."""
    if how.dry_run:
        return [Tool(family=Family.IPV4, name="iptables"), Tool(family=Family.IPV6, name="ip6tables")]
    tools = []
    for family in Family:
        try:
            tools.append(find_tool(family, runner, forced=how.iptables_binary))
        except CaptureError:
            if family in needed:
                raise
    return tools
