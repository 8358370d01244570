"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from discovery.ctl.control_plane import DEFAULT_ADDRESS, ControlPlane
from discovery.ctl.errors import CtlError
from discovery.schema.yaml_writing import render_yaml

__all__ = ["Format", "control_plane_options", "file_option", "format_option", "print_data", "the_control_plane"]

F = TypeVar("F", bound=Callable[..., Any])


class Format(StrEnum):
    """How results are printed."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


_ADDRESS: Final = click.option(
    "--discovery-address",
    default=DEFAULT_ADDRESS,
    show_default=True,
    envvar="PILOTCTL_DISCOVERY_ADDRESS",
    help="HTTP address of the control plane.",
)
_TOKEN_FILE: Final = click.option(
    "--token-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="File with a token of the mesh; needed where the control plane is not on this machine.",
)


def control_plane_options(command: F) -> F:
    """Where the control plane is, and what to show it."""
    return _ADDRESS(_TOKEN_FILE(command))


def the_control_plane(discovery_address: str, token_file: Path | None) -> ControlPlane:
    """The control plane that these options mean.

    Raises:
        CtlError: the address is none, or the token cannot be read.
    """
    try:
        token = token_file.read_text(encoding="ascii").strip() if token_file else ""
    except (OSError, UnicodeDecodeError) as error:
        raise CtlError(f"--token-file {token_file}: {error}") from error
    return ControlPlane(discovery_address, token=token)


def file_option(command: F) -> F:
    """A dump in a file instead of a living proxy."""
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Read the answer of Envoy's /config_dump from a file instead.",
    )(command)


def format_option(command: F) -> F:
    """``-o json``."""
    return click.option(
        "-o",
        "--output",
        "output",
        type=click.Choice([str(kind) for kind in Format]),
        default=str(Format.TABLE),
        show_default=True,
        help="Form of the result.",
    )(command)


def print_data(data: Any, output: str) -> None:
    """Print data as JSON or YAML."""
    if output == Format.YAML:
        click.echo(render_yaml(data), nl=False)
    else:
        click.echo(msgspec.json.format(msgspec.json.encode(data), indent=2))
