"""A systemd unit, as far as starting its service as init would needs it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import msgspec

__all__ = ["Command", "UnitFile", "parse_unit"]


class Command(msgspec.Struct, frozen=True):
    """A command line of a unit; ``+`` before it means root."""

    argv: tuple[str, ...]
    user: str


class UnitFile(msgspec.Struct, frozen=True, kw_only=True):
    """What of a ``[Service]`` is run, and as whom."""

    start_pre: tuple[Command, ...]
    start: Command
    stop_post: tuple[Command, ...]
    directory: str


def parse_unit(text: str) -> UnitFile:
    """Read a unit. Understood is what is needed here: no environment, no templates, no prefix but ``+``."""
    settings = list(_settings(text, "Service"))
    by_name = dict(settings)
    user = by_name.get("User", "root")

    def commands(name: str) -> tuple[Command, ...]:
        return tuple(_command(value, user) for key, value in settings if key == name)

    (start,) = commands("ExecStart")
    return UnitFile(
        start_pre=commands("ExecStartPre"),
        start=start,
        stop_post=commands("ExecStopPost"),
        directory=by_name.get("WorkingDirectory", "/"),
    )


def _settings(text: str, wanted: str) -> Iterator[tuple[str, str]]:
    section = ""
    for line in text.splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif section == wanted and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield name.strip(), value.strip()


def _command(line: str, user: str) -> Command:
    return Command(tuple(shlex.split(line.removeprefix("+"))), "root" if line.startswith("+") else user)
