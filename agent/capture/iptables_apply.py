"""Puts the iptables plan into the kernel and takes it out again.

Each family is looked at first. Rules that are as planned stay untouched. Rules of other settings are replaced only on
request, behind guards that drop all traffic meanwhile, so that nothing passes uncaptured. What fails half-way is
undone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum

import msgspec

from agent.capture.binaries import Tool
from agent.capture.iptables import Line, iptables_lines, render_restore
from agent.capture.processes import CaptureError, Runner, must
from agent.capture.rules import BUILT_IN_CHAINS, Family, Rule
from agent.capture.saved import (
    PREFIX,
    SavedTable,
    differences,
    is_empty_hook,
    parse_saved,
    removed_hooks,
    render_removal,
    residue,
)
from discovery.runtime.logs import get_logger

__all__ = ["Manner", "apply_iptables", "clean_iptables"]

_GUARD = "ISTIO_GUARD"
_log = get_logger("default")


class Manner(Enum):
    """What to do about rules that are there."""

    KEEP = "keep those that are as planned, refuse others"
    RECONCILE = "replace others"
    FORCE = "do not look"


class _Look(msgspec.Struct, frozen=True, kw_only=True):
    """One family as it is. ``empty``: it has no chain of ours. ``wrong``: what is not as planned."""

    tool: Tool
    lines: tuple[Line, ...]
    empty: bool
    wrong: tuple[str, ...]


def apply_iptables(
    rules: Sequence[Rule], tools: Sequence[Tool], families: frozenset[Family], runner: Runner, *, manner: Manner
) -> bool:
    """Make the rules of ``families``; whether anything was changed.

    Args:
        tools: of each family that can be looked at, also of those without rules.

    Raises:
        CaptureError: not possible; then all is as before.
    """
    looks = [
        _look(tool, iptables_lines(rules, tool.family) if tool.family in families else (), runner) for tool in tools
    ]
    wrong = [f"{look.tool.family}: {text}" for look in looks for text in look.wrong if not look.empty]
    pending = [look for look in looks if look.lines and (manner is Manner.FORCE or look.empty or look.wrong)]
    if wrong and manner is Manner.KEEP:
        raise CaptureError(
            f"rules of other settings are in place ({'; '.join(wrong[:3])}); they stay as they are."
            " --reconcile replaces them, --cleanup-only removes them"
        )
    if wrong and manner is Manner.RECONCILE:
        stale = [look.tool for look in looks if look.wrong and not look.empty]
        _log.warning("rules of other settings are replaced", first=wrong[0], differences=len(wrong))
        with _guarded([look.tool for look in looks], runner):
            for tool in stale:
                clean_iptables(rules, tool, runner)
            _restore(pending, rules, runner, undoable=frozenset(look.tool.family for look in pending))
        return True
    if not pending:
        _log.info("capture rules are in place already")
        return False
    _restore(pending, rules, runner, undoable=frozenset(look.tool.family for look in pending if look.empty))
    return True


def _look(tool: Tool, lines: tuple[Line, ...], runner: Runner) -> _Look:
    saved = parse_saved(must(runner, tool.save))
    empty = not residue(saved)
    wrong = [] if empty else differences(saved, lines)
    if not empty and not wrong:
        wrong = [
            f"missing in {line.table}: {' '.join(line.command)}" for line in lines if not _is_there(tool, line, runner)
        ]
    return _Look(tool=tool, lines=lines, empty=empty, wrong=tuple(wrong))


def _is_there(tool: Tool, line: Line, runner: Runner) -> bool:
    return runner.run(tool.single("-t", line.table, "-C", line.chain, *line.arguments)).status == 0


def _restore(looks: Sequence[_Look], rules: Sequence[Rule], runner: Runner, *, undoable: frozenset[Family]) -> None:
    """``undoable``: families that had no rules of ours, so that all there is afterwards may be taken away again."""
    begun: list[_Look] = []
    try:
        for look in looks:
            begun.append(look)
            must(runner, look.tool.restore, stdin=render_restore(look.lines))
    except CaptureError:
        for look in begun:
            if look.tool.family in undoable:
                clean_iptables(rules, look.tool, runner)
        raise
    for look in looks:
        _log.debug("rules now", family=look.tool.family, rules=must(runner, look.tool.save))


def clean_iptables(rules: Sequence[Rule], tool: Tool, runner: Runner) -> bool:
    """Take out all chains of ours, jumps to them, and planned rules that lie in the kernel's chains.

    Returns whether there was anything. Tables that are empty then are removed where the kernel allows that, so that the
    rule set is what it was before.

    Raises:
        CaptureError: the kernel refused; a table is cleaned wholly or not at all.
    """
    saved = parse_saved(must(runner, tool.save))
    candidates = [line for line in iptables_lines(rules, tool.family) if _lies_outside(line) and line.table in saved]
    others = [line for line in dict.fromkeys(candidates) if _is_there(tool, line, runner)]
    removal = render_removal(saved, others)
    if not removal:
        return False
    must(runner, tool.restore, stdin=removal)
    _remove_empty_hooks(removal, tool, runner)
    return True


def _lies_outside(line: Line) -> bool:
    return line.chain in BUILT_IN_CHAINS and not line.arguments[-1].startswith(PREFIX)


def _remove_empty_hooks(removal: str, tool: Tool, runner: Runner) -> None:
    """What a removal left empty goes, too, as it came with our first rule: the kernel's chains, then the tables.

    The old interface keeps a table for good once it was used.
    """
    if not tool.native:
        return
    saved = parse_saved(must(runner, tool.save))
    family = "ip" if tool.family is Family.IPV4 else "ip6"
    for name, chains in removed_hooks(removal).items():
        table = saved.get(name, SavedTable())
        for chain in chains:
            if is_empty_hook(table, chain):
                runner.run(tool.single("-t", name, "-X", chain))
        listed = runner.run(("nft", "list", "table", family, name))
        if listed.status == 0 and "chain" not in listed.output:
            runner.run(("nft", "delete", "table", family, name))


@contextmanager
def _guarded(tools: Sequence[Tool], runner: Runner) -> Iterator[None]:
    """All traffic is dropped inside, in a chain of ours that cleaning finds should we die."""
    guards = "".join(
        [
            f"* filter\n-N {_GUARD}\n-A {_GUARD} -p tcp -j DROP\n-A {_GUARD} -p udp -j DROP\n",
            *(f"-I {chain} 1 -j {_GUARD}\n" for chain in ("INPUT", "FORWARD", "OUTPUT")),
            "COMMIT\n",
        ]
    )
    guarded: list[Tool] = []
    try:
        for tool in tools:
            must(runner, tool.restore, stdin=guards)
            guarded.append(tool)
        yield
    finally:
        for tool in guarded:
            _remove_guards(tool, runner)


def _remove_guards(tool: Tool, runner: Runner) -> None:
    saved: Mapping[str, SavedTable] = parse_saved(must(runner, tool.save))
    guards = {
        name: SavedTable(
            chains={chain: policy for chain, policy in table.chains.items() if chain == _GUARD},
            rules=tuple(rule for rule in table.rules if rule[1] == f"-j {_GUARD}"),
        )
        for name, table in saved.items()
        if name == "filter"
    }
    removal = render_removal(guards, ())
    must(runner, tool.restore, stdin=removal)
    _remove_empty_hooks(removal, tool, runner)
