"""``pilotctl proxy-status``: whether each proxy has what it should have; with a dump, what differs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import click

from discovery.ctl.compare import compare
from discovery.ctl.dump import Dump, read_dump
from discovery.ctl.options import Format, control_plane_options, format_option, print_data, the_control_plane
from discovery.ctl.table import render_table
from discovery.wire.type_urls import PUSH_ORDER, short_name

__all__ = ["proxy_status", "status_table"]

_ALWAYS: Final = ("CDS", "LDS", "EDS", "RDS")


def status_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """One row for each proxy, one column for each xDS type that any of them watches."""
    proxies = list(rows)
    watched = {short_name(url) for row in proxies for url in row.get("resources", {})}
    order = [short_name(url) for url in PUSH_ORDER]
    types = [*_ALWAYS, *(name for name in order if name in watched - set(_ALWAYS))]
    table = []
    for row in proxies:
        states = {short_name(url): state.get("status", "") for url, state in row.get("resources", {}).items()}
        cells = [states.get(name, "IGNORED").replace("_", " ") for name in types]
        table.append((row.get("proxy", ""), row.get("cluster_id", ""), *cells, row.get("istio_version", "")))
    return render_table(("NAME", "CLUSTER", *types, "VERSION"), table)


def _errors(rows: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    for row in rows:
        for url, state in row.get("resources", {}).items():
            if state.get("lastError"):
                yield f"{row.get('proxy', '')} rejects {short_name(url)}: {state['lastError']}"


@click.command("proxy-status")
@click.argument("proxy", default="")
@click.option("-n", "--namespace", default="", help="Only proxies of this namespace.")
@click.option(
    "-f",
    "--file",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Compare what PROXY is served with this answer of its Envoy's /config_dump.",
)
@format_option
@control_plane_options
def proxy_status(
    proxy: str, namespace: str, file: Path | None, output: str, discovery_address: str, token_file: Path | None
) -> None:
    """Whether each proxy has acknowledged what it should have.

    SYNCED: it has. STALE: it was sent something newer, or has not answered yet. ERROR: it rejected the last response
    (why is printed below). NOT SENT: there is nothing for it yet. IGNORED: it did not ask for this type.
    """
    plane = the_control_plane(discovery_address, token_file)
    if file is not None:
        if not proxy:
            raise click.UsageError("-f compares one proxy: name it")
        _compare(Dump(plane.ask("config_dump", proxyID=proxy)), read_dump(file), output)
        return
    query = {"namespace": namespace} if namespace else {}
    rows = [row for row in plane.ask("syncz", **query) if proxy in row.get("proxy", "")]
    if output != Format.TABLE:
        print_data(rows, output)
        return
    if not rows:
        click.echo("no proxies are connected" + (f" whose name holds {proxy!r}" if proxy else ""), err=True)
        return
    click.echo(status_table(rows), nl=False)
    for line in _errors(rows):
        click.echo(line, err=True)


def _compare(served: Dump, running: Dump, output: str) -> None:
    differences = compare(served, running)
    if output != Format.TABLE:
        print_data(json.loads(json.dumps([found._asdict() for found in differences])), output)
        return
    for found in differences:
        click.echo(f"{found.section} Match" if not found.diff else f"{found.section} Don't Match\n{found.diff}")
