"""The plan as iptables text: restore files, single commands, and what removes them again. Pure.

A restore file is one transaction per table: either all of its rules are there, or none.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, assert_never

import msgspec

from agent.capture.rules import (
    BUILT_IN_CHAINS,
    Accept,
    Address,
    ConnectionMark,
    Drop,
    Family,
    Interface,
    Jump,
    Mark,
    Match,
    Owner,
    Port,
    Protocol,
    Redirect,
    RestoreMark,
    Return,
    Rule,
    SaveMark,
    SetMark,
    State,
    TransparentProxy,
    Verdict,
    Way,
    Zone,
)

__all__ = ["Line", "iptables_lines", "render_arguments", "render_commands", "render_restore"]


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as iptables takes it; ``position`` is 1-based, None appends."""

    table: str
    chain: str
    arguments: tuple[str, ...]
    position: int | None = None

    @property
    def command(self) -> tuple[str, ...]:
        """What makes the rule, without the table."""
        how = ("-A", self.chain) if self.position is None else ("-I", self.chain, str(self.position))
        return (*how, *self.arguments)


def iptables_lines(rules: Iterable[Rule], family: Family) -> tuple[Line, ...]:
    """The rules of a family."""
    return tuple(
        Line(
            table=rule.table,
            chain=rule.chain,
            arguments=render_arguments(rule),
            position=None if rule.at is None else rule.at + 1,
        )
        for rule in rules
        if rule.family in (None, family)
    )


def render_restore(lines: Sequence[Line]) -> str:
    """The input of ``iptables-restore --noflush``: tables by name, new chains, rules as they come; may be empty."""
    text = []
    for table in sorted({line.table for line in lines}):
        inside = [line for line in lines if line.table == table]
        text += [f"* {table}", *(f"-N {chain}" for chain in _new_chains(inside))]
        text += [" ".join(line.command) for line in inside]
        text.append("COMMIT")
    return "".join(f"{line}\n" for line in text)


def render_commands(lines: Sequence[Line]) -> tuple[tuple[str, ...], ...]:
    """The same as arguments of single iptables calls: all chains, then all rules."""
    chains = dict.fromkeys((line.table, line.chain) for line in lines if line.chain not in BUILT_IN_CHAINS)
    made = [("-t", table, "-N", chain) for table, chain in chains]
    return (*made, *(("-t", line.table, *line.command) for line in lines))


def _new_chains(lines: Sequence[Line]) -> list[str]:
    return list(dict.fromkeys(line.chain for line in lines if line.chain not in BUILT_IN_CHAINS))


def render_arguments(rule: Rule) -> tuple[str, ...]:
    """Matches in the order given, then the verdict."""
    arguments: list[str] = []
    for match in rule.matches:
        told = Protocol(match.protocol) in rule.matches if isinstance(match, Port) else False
        arguments += _match(match) if told or not isinstance(match, Port) else ["-p", match.protocol, *_match(match)]
    udp = any(isinstance(match, Port) and match.protocol == "udp" for match in rule.matches)
    return (*arguments, "-j", *_verdict(rule.verdict, udp=udp))


_INTERFACE_FLAG: Final = {Way.SOURCE: "-i", Way.DESTINATION: "-o"}
_ADDRESS_FLAG: Final = {Way.SOURCE: "-s", Way.DESTINATION: "-d"}
_PORT_FLAG: Final = {Way.SOURCE: "--sport", Way.DESTINATION: "--dport"}


def _match(match: Match) -> list[str]:
    match match:
        case Interface(way, name):
            return [_INTERFACE_FLAG[way], name]
        case Protocol(name):
            return ["-p", name]
        case Address(way, cidr, negated):
            return [*_not(negated=negated), _ADDRESS_FLAG[way], cidr]
        case Port(_, way, (number,), negated):
            return [*_not(negated=negated), _PORT_FLAG[way], str(number)]
        case Port(_, way, numbers, negated):
            several = ",".join(map(str, numbers))
            return ["-m", "multiport", *_not(negated=negated), f"{_PORT_FLAG[way]}s", several]
        case Owner(kind, name, negated):
            return ["-m", "owner", *_not(negated=negated), f"--{kind}-owner", name]
        case Mark(value, negated):
            return ["-m", "mark", *_not(negated=negated), "--mark", str(value)]
        case ConnectionMark(value):
            return ["-m", "connmark", "--mark", str(value)]
        case State(names):
            return ["-m", "conntrack", "--ctstate", ",".join(names)]
        case _:
            assert_never(match)


def _not(*, negated: bool) -> list[str]:
    return ["!"] if negated else []


def _verdict(verdict: Verdict, *, udp: bool) -> list[str]:  # noqa: C901 - one case for each kind of verdict
    match verdict:
        case Jump(chain):
            return [chain.value]
        case Return():
            return ["RETURN"]
        case Accept():
            return ["ACCEPT"]
        case Drop():
            return ["DROP"]
        case Redirect(port):
            return ["REDIRECT", "--to-port" if udp else "--to-ports", str(port)]
        case TransparentProxy(port, mark):
            return ["TPROXY", "--tproxy-mark", f"{mark}/0xffffffff", "--on-port", str(port)]
        case SetMark(value):
            return ["MARK", "--set-mark", str(value)]
        case SaveMark():
            return ["CONNMARK", "--save-mark"]
        case RestoreMark():
            return ["CONNMARK", "--restore-mark"]
        case Zone(number):
            return ["CT", "--zone", str(number)]
        case _:
            assert_never(verdict)
