"""Commands for people: flags in named groups with their defaults, and flags of other versions ignored with a warning.

Manifests outlive programs. A flag that this version does not know is no reason not to start a pod, nor is the spelling
that the programs of Istio take: ``--flag=false`` for a switch, ``-p15001`` and ``-p=15001`` for a letter with a value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

__all__ = ["GroupedCommand", "GroupedOption", "drop_unknown_flags", "spell_flags"]

_TRUE: Final = frozenset({"1", "t", "true"})
_FALSE: Final = frozenset({"0", "f", "false"})


def spell_flags(args: Sequence[str], known: Mapping[str, bool], negations: Mapping[str, str]) -> list[str]:
    """Arguments as this parser takes them: switches without values, letters apart from theirs.

    Args:
        args: as typed.
        known: flags with their dashes, and whether each takes a value.
        negations: how the opposite of a switch is spelt; one without an entry is off unless it is named.

    Raises:
        click.BadParameter: a switch has a value that is neither true nor false.
    """
    spelled: list[str] = []
    rest = list(args)
    while rest:
        arg = rest.pop(0)
        if arg == "--":
            return [*spelled, arg, *rest]
        name, equals, value = arg.partition("=") if arg.startswith("--") else (arg[:2], "", arg[2:])
        takes_value = known.get(name) if arg.startswith("-") else None
        if takes_value is None or arg == name:
            spelled.append(arg)
            if takes_value and rest:
                spelled.append(rest.pop(0))
        elif takes_value:
            spelled += [arg] if equals else [name, value.removeprefix("=")]
        elif equals or value.startswith("="):
            spelled += _switch(name, value.removeprefix("=") if not equals else value, negations)
        else:  # several letters in one
            spelled.append(name)
            rest.insert(0, f"-{value}")
    return spelled


def _switch(name: str, value: str, negations: Mapping[str, str]) -> list[str]:
    if value.lower() in _TRUE:
        return [name]
    if value.lower() in _FALSE:
        return [negations[name]] if name in negations else []
    raise click.BadParameter(f"{value!r} is no boolean, want true or false", param_hint=repr(name))


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
        """Spell flags as we do, take unknown ones out, then parse as usual."""
        options = [param for param in self.get_params(ctx) if isinstance(param, click.Option)]
        known = {
            name: not (option.is_flag or option.count)
            for option in options
            for name in (*option.opts, *option.secondary_opts)
        }
        negations = {
            name: option.secondary_opts[0] for option in options if option.secondary_opts for name in option.opts
        }
        spelled = spell_flags(args, known, negations)
        kept, ctx.meta["unknown_flags"] = drop_unknown_flags(spelled, known)
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
