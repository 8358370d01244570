"""``pilot-agent istio-iptables`` and ``istio-clean-iptables``.

Status 0: done. 1: rules could not be applied. 126: applied or not, traffic is not captured; a pod's repair controller
looks for this number. 255: the flags make no sense.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from agent.capture.apply import apply_capture, clean_capture
from agent.capture.facts import enter_network_namespace, read_host_facts
from agent.capture.flags import FLAGS, Flag, raw_values
from agent.capture.processes import CaptureError, Printing, Processes, Runner
from agent.capture.selftest import ValidationError, probes, validate_capture
from agent.capture.settings import ApplySettings, CaptureSettings, load_capture_settings
from agent.settings import SettingsError, process_environ
from discovery.runtime.commands import GroupedCommand, GroupedOption
from discovery.runtime.logs import LogLevelError, configure_logging, get_logger

__all__ = ["clean_command", "iptables_command"]

_APPLY_FAILED: Final = 1
_VALIDATION_FAILED: Final = 126
_RESOLV_CONF: Final = Path("/etc/resolv.conf")


def _option(flag: Flag) -> click.Option:
    names = [f"-{flag.short}"] if flag.short else []
    shown = str(flag.default).lower() if isinstance(flag.default, bool) else str(flag.default)
    variable = f" [${flag.environment}]" if flag.environment else ""
    text = f"{flag.text}{variable}" + (f" [default: {shown}]" if shown else "")
    if isinstance(flag.default, bool):
        names.insert(0, f"--{flag.name}/--no-{flag.name}")
        return GroupedOption([*names, flag.field], group=flag.group, default=None, help=text, show_default=False)
    return GroupedOption(
        [f"--{flag.name}", *names, flag.field],
        group=flag.group,
        type=str,
        default=None,
        help=text,
        metavar="TEXT",
        show_default=False,
    )


def _run(given: dict[str, Any]) -> None:
    environ = process_environ()
    values = raw_values(given, environ)
    try:
        configure_logging(levels=str(values["log_output_level"]), as_json=bool(values["log_as_json"]), plain=True)
    except LogLevelError as error:
        raise click.ClickException(str(error)) from None
    log = get_logger("default")
    for name in click.get_current_context().meta["unknown_flags"]:
        log.warning("unknown flag ignored", flag=name)
    settings, how = _load(given, values, environ)
    runner: Runner = Printing(lambda text: click.echo(text, nl=False)) if how.dry_run else Processes()
    try:
        if how.cleanup_only:
            clean_capture(settings, how, runner)
            return
        if not how.skip_rule_apply:
            apply_capture(settings, how, runner)
    except CaptureError as error:
        _end(_APPLY_FAILED, error)
    if how.run_validation and not how.dry_run:
        _validate(settings, how)


def _load(
    given: dict[str, Any], values: dict[str, Any], environ: dict[str, str]
) -> tuple[CaptureSettings, ApplySettings]:
    if namespace := str(values["network_namespace"]):
        try:
            enter_network_namespace(Path(namespace))
        except OSError as error:
            raise SettingsError([f"network namespace {namespace}: {error.strerror}"]) from None
    host = read_host_facts(envoy_user=str(values["envoy_user"]), resolv_conf=_RESOLV_CONF)
    settings, how, warnings = load_capture_settings(given, environ, host)
    log = get_logger("default")
    for warning in warnings:
        log.warning(warning)
    log.debug("capture settings", plan=settings, apply=how)
    return settings, how


def _validate(settings: CaptureSettings, how: ApplySettings) -> None:
    wanted = probes(
        ports=(settings.outbound_port, settings.inbound_port), probe_port=how.probe_port, ipv6=settings.ipv6
    )
    # Calls are captured by whose they are. Root can make them in the proxy's name; others make their own.
    uid = int(settings.uids[0]) if os.geteuid() == 0 and settings.uids[0].isdigit() else None
    try:
        asyncio.run(validate_capture(wanted, uid=uid, timeout_s=how.probe_timeout_s))
    except ValidationError as error:
        _end(_VALIDATION_FAILED, error)


def _end(status: int, error: Exception) -> NoReturn:
    click.echo(f"Error: {error}", err=True)
    raise SystemExit(status)  # click's own exit is lost where it runs as part of a program


iptables_command = GroupedCommand(
    "istio-iptables",
    callback=lambda **given: _run(given),
    help="Make the rules that bring a workload's traffic to Envoy.",
    params=[_option(flag) for flag in FLAGS],
)

clean_command = GroupedCommand(
    "istio-clean-iptables",
    callback=lambda **given: _run({**given, "cleanup_only": True}),
    help="Remove what istio-iptables made; the same as its flag --cleanup-only.",
    params=[_option(flag) for flag in FLAGS],
)
