"""``pilotctl explain``: from a resource of a proxy back to the files that it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from discovery.ctl.options import Format, control_plane_options, format_option, print_data, the_control_plane

__all__ = ["explain", "render_explanation"]


def render_explanation(found: Mapping[str, Any], *, everything: bool = False) -> str:
    """Text: the objects that decide with their fields, then (all of them only if wanted) those that do not."""
    return "\n".join(_lines(found, everything=everything)) + "\n"


def _lines(found: Mapping[str, Any], *, everything: bool) -> Iterator[str]:
    yield f"{found['name']}  (version {found['version']}, rendered by {found['renderedBy']})"
    objects = found.get("objects", [])
    consulted = [obj for obj in objects if not obj.get("decides")]
    for obj in objects:
        if obj.get("decides"):
            yield f"  {_told(obj)}"
            yield from (f"      {field}" for field in obj.get("fields", ()))
    if len(consulted) == len(objects):
        yield "  no single object decides: it would be the same without any one of them"
    if found.get("meshConfig"):
        yield "  mesh configuration"
    if everything and consulted:
        yield "read, and without effect or not examined:"
        yield from (f"  {_told(obj)}" for obj in consulted)
    omitted = found.get("objectsOmitted", 0) + (0 if everything else len(consulted))
    if omitted:
        yield f"{omitted} more were read" + ("" if everything else " (--all names them)")


def _told(obj: Mapping[str, Any]) -> str:
    name = "/".join(filter(None, (obj.get("namespace", ""), obj["name"])))
    place = f"{obj['file']}:{obj['line']}" if obj.get("file") else obj.get("uid", "")
    return f"{obj['kind']} {name}" + (f"  {place}" if place else "")


@click.command("explain")
@click.argument("proxy")
@click.argument("type_name", metavar="TYPE")
@click.argument("name")
@click.option("--all", "everything", is_flag=True, help="Also objects that were read but do not decide.")
@format_option
@control_plane_options
def explain(  # noqa: PLR0913 - the options of the command
    *,
    proxy: str,
    type_name: str,
    name: str,
    everything: bool,
    output: str,
    discovery_address: str,
    token_file: Path | None,
) -> None:
    """Where a resource of a proxy came from: objects with file and line, and their fields that decide.

    TYPE is cds, lds, rds, eds or vhds; NAME is the name of the resource, as proxy-config prints it.
    """
    plane = the_control_plane(discovery_address, token_file)
    found = plane.ask("explain", proxyID=proxy, type=type_name, name=name)
    if output != Format.TABLE:
        print_data(found, output)
    else:
        click.echo(render_explanation(found, everything=everything), nl=False)
