"""``pilotctl analyze``: what is wrong with a directory of configuration, before anybody serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from discovery.ctl.analysis import messages_about, read_world
from discovery.ctl.errors import CtlError
from discovery.ctl.findings import read_files
from discovery.ctl.options import Format, format_option, print_data
from discovery.validation.analyze.message import Level, Message
from discovery.validation.analyze.registry import ANALYZERS, Suppression, parse_suppression

__all__ = ["analyze", "message_data"]

_LEVELS: Final = [str(level) for level in Level]


def message_data(message: Message) -> dict[str, object]:
    """A message as data."""
    return {
        "code": str(message.code),
        "level": str(message.severity),
        "resource": message.resource,
        "file": message.origin.path,
        "line": message.origin.line,
        "message": message.text,
        "hint": message.hint,
    }


def _level(name: str) -> Level:
    return Level[name.upper()]


def _suppressions(texts: tuple[str, ...]) -> list[Suppression]:
    try:
        return [parse_suppression(text) for text in texts]
    except ValueError as error:
        raise CtlError(f"--suppress: {error}") from error


@click.command("analyze")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.option("-n", "--namespace", default="default", show_default=True, help="Namespace of objects that name none.")
@click.option(
    "-S",
    "--suppress",
    multiple=True,
    metavar="CODE=OBJECT",
    help='Messages not to tell, such as "IST0102=Namespace shop" or "IST0101=VirtualService *.shop".',
)
@click.option(
    "--failure-threshold",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default=str(Level.ERROR),
    show_default=True,
    help="The least level that makes the exit status 1.",
)
@click.option(
    "--output-threshold",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default=str(Level.INFO),
    show_default=True,
    help="The least level that is told.",
)
@click.option(
    "--mesh-config-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Mesh configuration; else that of ConfigMap istio-system/istio among the objects.",
)
@click.option("-L", "--list-analyzers", is_flag=True, help="Name the analyzers, and do nothing else.")
@format_option
def analyze(  # noqa: PLR0913 - one for each option
    paths: tuple[Path, ...],
    namespace: str,
    suppress: tuple[str, ...],
    failure_threshold: str,
    output_threshold: str,
    mesh_config_file: Path | None,
    list_analyzers: bool,  # noqa: FBT001 - click passes flags so
    output: str,
) -> None:
    """What is wrong with files and directories of configuration; needs no control plane.

    Objects are judged one by one and together. Exit status 1 if something is at the failure threshold or above.
    """
    if list_analyzers:
        for name in ANALYZERS:
            click.echo(name)
        return
    if not paths:
        raise CtlError("want a file or a directory; give one or more paths")
    files = read_files(paths)
    world = read_world(files, namespace=namespace, mesh_file=mesh_config_file)
    messages = messages_about(files, world, suppressed=_suppressions(suppress))
    told = [message for message in messages if message.severity >= _level(output_threshold)]
    if output != Format.TABLE:
        print_data([message_data(message) for message in told], output)
    else:
        for message in told:
            click.echo(str(message))
        click.echo(f"{sum(1 for _ in world.all())} objects in {len(files)} files, {len(told)} messages")
    if any(message.severity >= _level(failure_threshold) for message in messages):
        raise click.exceptions.Exit(1)
