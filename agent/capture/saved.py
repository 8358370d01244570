"""What ``iptables-save`` prints, read: what of ours is there, and the restore file that takes it away. Pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

import msgspec

from agent.capture.iptables import Line

__all__ = [
    "PREFIX",
    "SavedTable",
    "differences",
    "is_empty_hook",
    "parse_saved",
    "removed_hooks",
    "render_removal",
    "residue",
]

PREFIX: Final = "ISTIO_"


class SavedTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table: chains with their policies (``-`` for chains that somebody made), rules as (chain, arguments)."""

    chains: Mapping[str, str] = {}
    rules: tuple[tuple[str, str], ...] = ()


def parse_saved(text: str) -> dict[str, SavedTable]:
    """The tables by name."""
    tables: dict[str, tuple[dict[str, str], list[tuple[str, str]]]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("*"):
            name = line[1:].strip()
            tables[name] = ({}, [])
        elif name and line.startswith(":"):
            chain, policy, *_ = line[1:].split()
            tables[name][0][chain] = policy
        elif name and line.startswith("-A "):
            _, chain, *rest = line.split(" ", 2)
            tables[name][1].append((chain, "".join(rest)))
    return {name: SavedTable(chains=chains, rules=tuple(rules)) for name, (chains, rules) in tables.items()}


def residue(saved: Mapping[str, SavedTable]) -> list[str]:
    """Chains of ours that are there, as ``table/chain``."""
    return [f"{name}/{chain}" for name, table in saved.items() for chain in table.chains if chain.startswith(PREFIX)]


def differences(saved: Mapping[str, SavedTable], lines: Sequence[Line]) -> list[str]:
    """Chains of ours whose number of rules is not that of the plan; whether they are the same rules is not told."""
    there = Counter(
        (name, chain) for name, table in saved.items() for chain, _ in table.rules if chain.startswith(PREFIX)
    )
    wanted = Counter((line.table, line.chain) for line in lines if line.chain.startswith(PREFIX))
    known = {tuple(place.split("/")) for place in residue(saved)}
    return [
        f"{table}/{chain} has {there[table, chain]} rules, want {wanted[table, chain]}"
        for table, chain in sorted(known | wanted.keys())
        if there[table, chain] != wanted[table, chain] or not wanted[table, chain]
    ]


def is_empty_hook(table: SavedTable, chain: str) -> bool:
    """One of the kernel's chains in which nothing is done."""
    return table.chains.get(chain) == "ACCEPT" and all(place != chain for place, _ in table.rules)


def render_removal(saved: Mapping[str, SavedTable], others: Sequence[Line]) -> str:
    """The restore file that takes away our chains, the jumps to them, and ``others``, which must be there."""
    text: list[str] = []
    for name, table in saved.items():
        ours = [chain for chain in table.chains if chain.startswith(PREFIX)]
        removal = [
            f"-D {chain} {rule}" for chain, rule in table.rules if not chain.startswith(PREFIX) and _jumps_to_us(rule)
        ]
        removal += [f"-D {line.chain} {' '.join(line.arguments)}" for line in others if line.table == name]
        removal += [f"-F {chain}" for chain in ours] + [f"-X {chain}" for chain in ours]
        if removal:
            text += [f"* {name}", *removal, "COMMIT"]
    return "".join(f"{line}\n" for line in text)


def _jumps_to_us(rule: str) -> bool:
    words = shlex.split(rule)  # a comment is one word, whatever it quotes
    return any(word in ("-j", "-g") and target.startswith(PREFIX) for word, target in pairwise(words))


def removed_hooks(removal: str) -> dict[str, tuple[str, ...]]:
    """By table, the kernel's chains from which a removal took rules."""
    hooks: dict[str, list[str]] = {}
    name = ""
    for line in removal.splitlines():
        if line.startswith("* "):
            name = line[2:]
            hooks[name] = []
        elif line.startswith("-D "):
            hooks[name].append(line.split(" ", 2)[1])
    return {name: tuple(dict.fromkeys(chains)) for name, chains in hooks.items()}
