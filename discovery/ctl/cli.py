"""The command line of ``pilotctl``."""

from __future__ import annotations

from typing import Final

import click

from discovery.ctl.commands.analyze import analyze
from discovery.ctl.commands.dev_token import dev_token
from discovery.ctl.commands.explain import explain
from discovery.ctl.commands.kube_inject import kube_inject
from discovery.ctl.commands.proxy_config import proxy_config
from discovery.ctl.commands.proxy_status import proxy_status
from discovery.ctl.commands.validate import validate
from discovery.ctl.commands.version import version
from discovery.ctl.commands.workload import workload

__all__ = ["cli", "main"]

# Short names, also those that users of istioctl type.
_ALIASES: Final = {"ps": "proxy-status", "pc": "proxy-config", "x": "experimental"}
_SUB_ALIASES: Final = {
    "clusters": "cluster",
    "c": "cluster",
    "listeners": "listener",
    "l": "listener",
    "routes": "route",
    "r": "route",
    "endpoints": "endpoint",
    "ep": "endpoint",
    "secrets": "secret",
    "s": "secret",
    "b": "bootstrap",
    "a": "all",
}


class _Aliased(click.Group):
    """A group that knows its commands by short names too."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that the arguments begin with; second words have short names as well."""
        first, *rest = args
        first = _ALIASES.get(first, first)
        if rest and first == "proxy-config":
            rest[0] = _SUB_ALIASES.get(rest[0], rest[0])
        return super().resolve_command(ctx, [first, *rest])


@click.group(cls=_Aliased, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Look into a mesh: what proxies have, why they have it, and what is wrong with the configuration.

    Short names: ps for proxy-status, pc for proxy-config, x for experimental.
    """


@cli.group("experimental")
def experimental() -> None:
    """Commands that may change or go."""


for _command in (proxy_status, proxy_config, explain, kube_inject, analyze, validate, version):
    cli.add_command(_command)
experimental.add_command(dev_token)
experimental.add_command(workload)


def main() -> None:
    """Entry point of the console script."""
    cli.main(prog_name="pilotctl")
