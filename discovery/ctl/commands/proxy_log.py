"""``pilotctl proxy-config log``: which of its components an Envoy logs how much of, told and changed while it runs."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import click

from discovery.ctl.errors import CtlError
from discovery.ctl.options import Format, format_option, print_data
from discovery.ctl.table import render_table
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch

__all__ = ["log", "parse_levels"]

_LEVELS: Final = ("trace", "debug", "info", "warning", "error", "critical", "off")
_DEFAULT: Final = "warning"  # what an agent starts Envoy with
_LINE: Final = re.compile(r"^\s+(\S+): (\w+)$", re.MULTILINE)
_TIMEOUT_S: Final = 10.0


def parse_levels(text: str) -> tuple[str, tuple[str, ...]]:
    """The level of all components (empty: as they are), and items ``component:level``.

    Raises:
        CtlError: an item is none.
    """
    everything, single = "", []
    for item in filter(None, (part.strip() for part in text.split(","))):
        component, colon, level = item.rpartition(":")
        if level not in _LEVELS or (colon and not component):
            raise CtlError(f"--level {item!r}: want LEVEL or COMPONENT:LEVEL, where LEVEL is {', '.join(_LEVELS)}")
        if colon:
            single.append(item)
        else:
            everything = level
    return everything, tuple(single)


@click.command("log")
@click.option(
    "--admin",
    default="127.0.0.1:15000",
    show_default=True,
    help="Envoy's administration; for a pod: kubectl port-forward POD 15000.",
)
@click.option("--level", "levels", default="", help="LEVEL for all, COMPONENT:LEVEL for one; several by comma.")
@click.option("-r", "--reset", is_flag=True, help=f"All components back to {_DEFAULT}.")
@format_option
def log(admin: str, levels: str, output: str, *, reset: bool) -> None:
    """Levels of an Envoy's log, which stay until it ends; without --level they are only told."""
    target = _target(admin)
    everything, single = parse_levels(levels)
    if reset:
        everything = everything or _DEFAULT
    found = _ask(target, "")
    if unknown := [item for item in single if item.rpartition(":")[0] not in found]:
        raise CtlError(
            f"--level {', '.join(unknown)}: that Envoy has no such component, but {', '.join(sorted(found))}"
        )
    if everything:
        found = _ask(target, f"level={everything}")
    if single:
        found = _ask(target, f"paths={quote(','.join(single), safe=':,')}")
    if output == Format.TABLE:
        click.echo(render_table(("COMPONENT", "LEVEL"), sorted(found.items())), nl=False)
    else:
        print_data(dict(sorted(found.items())), output)


def _target(text: str) -> TcpTarget:
    host, colon, port = text.removeprefix("http://").rstrip("/").rpartition(":")
    if not colon or not host or not port.isdecimal():
        raise CtlError(f"--admin {text!r}: want host:port")
    return TcpTarget(host.removeprefix("[").removesuffix("]"), int(port))


def _ask(target: TcpTarget, query: str) -> dict[str, str]:
    """The levels after an order; an empty one changes nothing."""
    path = f"/logging?{query}" if query else "/logging"
    try:
        answer = asyncio.run(fetch(target, path, method="POST", timeout_s=_TIMEOUT_S))
    except HttpClientError as error:
        raise CtlError(f"{error}; is that Envoy's administration port? (--admin)") from error
    text = answer.body.decode("utf-8", "replace")
    found: Sequence[tuple[str, str]] = _LINE.findall(text)
    if answer.status != 200 or not found:
        raise CtlError(f"POST {path} at {target}: {answer.status}: {text.strip() or 'nothing'}; is that an Envoy?")
    return dict(found)
