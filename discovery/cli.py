"""The command line of ``pilot-discovery``."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version as distribution_version
from typing import Any

import click

from discovery.app import run_discovery
from discovery.runtime.commands import GroupedCommand, GroupedOption
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import LogLevelError, configure_logging, get_logger
from discovery.settings import FLAGS, SettingsError, load_settings, process_environ
from discovery.wire.ports import DISCOVERY_MONITORING

__all__ = ["cli", "main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Control plane of the mesh: configuration in, Envoy's xDS out."""


def _discovery(**flags: Any) -> None:
    context = click.get_current_context()
    try:
        configure_logging(levels=flags["log_output_level"], as_json=flags["log_as_json"])
        settings = load_settings(flags, process_environ())
    except (LogLevelError, SettingsError) as error:
        for finding in getattr(error, "findings", (str(error),)):
            click.echo(f"pilot-discovery: {finding}", err=True)
        sys.exit(2)
    for name in context.meta["unknown_flags"]:
        get_logger("default").warning("unknown flag ignored", flag=name)
    sys.exit(asyncio.run(run_discovery(settings)))


cli.add_command(
    GroupedCommand(
        "discovery",
        callback=_discovery,
        short_help="Serve the mesh.",
        help="Serve the mesh until SIGTERM or SIGINT.",
        params=[
            GroupedOption(
                [*flag.names, flag.field],
                group=flag.group,
                default=flag.default,
                help=flag.help,
                is_flag=isinstance(flag.default, bool),
            )
            for flag in FLAGS
        ],
    )
)


@cli.command()
def version() -> None:
    """Print the version."""
    click.echo(distribution_version("pilot-mesh"))


@cli.command()
@click.argument("method")
@click.argument("path")
@click.argument("body", default="")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where the control plane is.")
@click.option("--port", default=DISCOVERY_MONITORING, show_default=True, help="Monitoring port of the control plane.")
def request(method: str, path: str, body: str, host: str, port: int) -> None:
    """Send an HTTP request to a control plane, by default the one on this machine, and print the answer."""
    target = "/" + path.lstrip("/")
    try:
        answer = asyncio.run(
            fetch(TcpTarget(host, port), target, method=method.upper(), body=body.encode(), timeout_s=60)
        )
    except (HttpClientError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(answer.body.decode(errors="replace"), nl=False)
    if answer.status > 399 and answer.status != 404:
        sys.exit(1)


def main() -> None:
    """Entry point of the console script."""
    cli.main(prog_name="pilot-discovery")
