"""``pilotctl version``: this program's, and the control plane's if there is one."""

from __future__ import annotations

from importlib.metadata import version as distribution_version
from pathlib import Path

import click

from discovery.ctl.errors import CtlError
from discovery.ctl.options import control_plane_options, the_control_plane

__all__ = ["version"]


@click.command("version")
@control_plane_options
def version(discovery_address: str, token_file: Path | None) -> None:
    """Print the versions of this program and of the control plane."""
    click.echo(f"client: pilot-mesh {distribution_version('pilot-mesh')}")
    try:
        told = the_control_plane(discovery_address, token_file).text("/version").decode(errors="replace").strip()
    except CtlError as error:
        click.echo(f"control plane: {error.message}", err=True)
        return
    click.echo(f"control plane: {told}")
