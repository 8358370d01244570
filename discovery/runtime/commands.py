"""Commands for people: flags in named groups with their defaults, and flags of other versions ignored with a warning.

Manifests outlive programs. A flag that this version does not know is no reason not to start a pod.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

__all__ = ["GroupedCommand", "GroupedOption", "drop_unknown_flags"]


def drop_unknown_flags(args: Sequence[str], known: Mapping[str, bool]) -> tuple[list[str], list[str]]:
    """Split arguments into those that can be parsed and the unknown flags among them.

    Args:
        args: as typed.
        known: flags with their dashes, and whether each takes a value.

    An unknown flag without ``=`` takes the next argument with it unless that begins with a dash: so do the parsers that
    old manifests were written for. After ``--`` nothing is a flag.
    """
    kept: list[str] = []
    dropped: list[str] = []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        if arg == "--":
            return [*kept, arg, *rest], dropped
        name, has_value, _ = arg.partition("=")
        if not arg.startswith("-") or arg == "-":
            kept.append(arg)
        elif name in known:
            kept.append(arg)
            if known[name] and not has_value and rest:
                kept.append(rest.pop(0))
        else:
            dropped.append(name)
            if not has_value and rest and not rest[0].startswith("-"):
                rest.pop(0)
    return kept, dropped


class GroupedOption(click.Option):
    """A flag with the heading it is listed under in ``--help``."""

    def __init__(self, *args: Any, group: str = "Options", **kwargs: Any) -> None:
        kwargs.setdefault("show_default", True)
        super().__init__(*args, **kwargs)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose ``--help`` lists flags by group; unknown flags are collected in ``ctx.meta["unknown_flags"]``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take unknown flags out, then parse as usual."""
        known = {
            name: not (param.is_flag or param.count)
            for param in self.get_params(ctx)
            if isinstance(param, click.Option)
            for name in (*param.opts, *param.secondary_opts)
        }
        kept, ctx.meta["unknown_flags"] = drop_unknown_flags(args, known)
        return super().parse_args(ctx, kept)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the flags under their headings, in order of declaration."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                groups.setdefault(getattr(param, "group", "Other"), []).append(record)
        for title, records in groups.items():
            with formatter.section(title):
                formatter.write_dl(records)
