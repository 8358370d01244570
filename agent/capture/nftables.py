"""The plan as one nftables transaction, in tables of our own. Pure.

Tables are of family ``inet``: one rule serves both families unless it names an address. A transaction is all or
nothing, and may be repeated: the tables are emptied first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, assert_never

import msgspec

from agent.capture.rules import (
    Accept,
    Address,
    Chain,
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
    Table,
    TransparentProxy,
    Verdict,
    Way,
    Zone,
    family_of,
)

__all__ = ["OUR_TABLES", "Entry", "nftables_entries", "render_cleanup", "render_transaction", "settle"]

OUR_TABLES: Final[Mapping[Table, str]] = {
    Table.NAT: "istio-proxy-nat",
    Table.MANGLE: "istio-proxy-mangle",
    Table.RAW: "istio-proxy-raw",
}
_HOOKS: Final[Mapping[tuple[str, str], str]] = {
    ("istio-proxy-nat", "prerouting"): "type nat hook prerouting priority -100",
    ("istio-proxy-nat", "output"): "type nat hook output priority -100",
    ("istio-proxy-mangle", "prerouting"): "type filter hook prerouting priority -150",
    ("istio-proxy-mangle", "output"): "type route hook output priority -150",
    ("istio-proxy-raw", "prerouting"): "type filter hook prerouting priority -300",
    ("istio-proxy-raw", "output"): "type filter hook output priority -300",
}
_CHAIN_ORDER: Final = (
    "prerouting",
    "output",
    "istio-drop",
    "istio-divert",
    "istio-tproxy",
    "istio-inbound",
    "istio-redirect",
    "istio-in-redirect",
    "istio-output",
    "istio-output-dns",
)


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A rule as nft takes it; ``index`` is 0-based, None appends."""

    table: str
    chain: str
    words: tuple[str, ...]
    index: int | None = None


def nftables_entries(rules: Iterable[Rule]) -> tuple[Entry, ...]:
    """All rules, in order."""
    return tuple(
        Entry(table=OUR_TABLES[rule.table], chain=_chain(rule.chain), words=_words(rule), index=rule.at)
        for rule in rules
    )


def render_transaction(entries: Sequence[Entry]) -> str:
    """The input of ``nft -f``: per table emptying, the chains that get rules, the rules.

    An insertion at a place that the chain does not have yet is an addition: nft would refuse it.
    """
    text = []
    present = {entry.table for entry in entries}
    for table in (name for name in OUR_TABLES.values() if name in present):
        inside = [entry for entry in entries if entry.table == table]
        text += [f"add table inet {table}", f"flush table inet {table}"]
        chains = {entry.chain for entry in inside}
        for chain in sorted(chains, key=_CHAIN_ORDER.index):
            hook = _HOOKS.get((table, chain))
            text.append(f"add chain inet {table} {chain}" + (f" {{ {hook} ; }}" if hook else ""))
        sizes = dict.fromkeys(chains, 0)
        for entry in inside:
            inserts = entry.index is not None and entry.index < sizes[entry.chain]
            head, place = ("insert", f" index {entry.index}") if inserts else ("add", "")
            text.append(f"{head} rule inet {table} {entry.chain}{place} {' '.join(entry.words)}")
            sizes[entry.chain] += 1
    return "".join(f"{line}\n" for line in text)


def settle(entries: Iterable[Entry]) -> dict[str, dict[str, tuple[tuple[str, ...], ...]]]:
    """What lies in each chain of each table when all is done, both by name."""
    chains: dict[tuple[str, str], list[tuple[str, ...]]] = {}
    for entry in entries:
        rules = chains.setdefault((entry.table, entry.chain), [])
        rules.insert(len(rules) if entry.index is None else entry.index, entry.words)
    settled: dict[str, dict[str, tuple[tuple[str, ...], ...]]] = {}
    for table, chain in sorted(chains):
        settled.setdefault(table, {})[chain] = tuple(chains[table, chain])
    return settled


def render_cleanup(tables: Iterable[str] = tuple(OUR_TABLES.values())) -> str:
    """Removes tables with all that is in them; one that is not there is made first, so that nothing fails."""
    return "".join(f"add table inet {table}\ndelete table inet {table}\n" for table in tables)


def _chain(chain: Chain) -> str:
    return chain.value.lower().replace("_", "-")


_RANK: Final[Mapping[type, int]] = {
    kind: rank for rank, kind in enumerate((Interface, Protocol, State, Address, Port, Mark, ConnectionMark, Owner))
}


def _words(rule: Rule) -> tuple[str, ...]:
    matches: Iterable[Match] = rule.matches
    if rule.table is not Table.RAW:
        matches = sorted(matches, key=lambda match: _RANK[type(match)])
    words = [word for match in matches for word in _match(match, rule.table)]
    if isinstance(rule.verdict, TransparentProxy):
        return (*words, *_transparent(rule.verdict, rule.family))
    return (*words, "counter", *_verdict(rule.verdict))


def _match(match: Match, table: Table) -> list[str]:
    match match:
        case Interface(way, name):
            return ["iifname" if way is Way.SOURCE else "oifname", name]
        case Protocol(name):
            return ["meta", "l4proto", name]
        case State(names):
            return ["ct", "state", ",".join(names).lower()]
        case Address(way, cidr, negated):
            family = "ip6" if family_of(cidr) is Family.IPV6 else "ip"
            return [family, "saddr" if way is Way.SOURCE else "daddr", *_not(negated=negated), cidr]
        case Port(protocol, way, numbers, negated):
            end = "sport" if way is Way.SOURCE else "dport"
            one, several = str(numbers[0]), f"{{ {', '.join(map(str, numbers))} }}"
            return [protocol, end, *_not(negated=negated), one if len(numbers) == 1 else several]
        case Mark(value, negated):
            return ["mark", *_not(negated=negated), str(value)]
        case ConnectionMark(value):
            return ["ct", "mark", str(value)]
        case Owner(kind, name, negated):
            # Two spellings of one thing; in raw Istio uses the longer.
            prefix = ["meta"] if table is Table.RAW else []
            return [*prefix, f"sk{kind}", *_not(negated=negated), name]
        case _:
            assert_never(match)


def _not(*, negated: bool) -> list[str]:
    return ["!="] if negated else []


def _transparent(verdict: TransparentProxy, family: Family | None) -> list[str]:
    kind = "ip6" if family is Family.IPV6 else "ip"
    mark = ["meta", "mark", "set", str(verdict.mark)]
    return ["tproxy", kind, "to", f":{verdict.port}", *mark, "counter", "accept"]


def _verdict(verdict: Verdict) -> list[str]:  # noqa: C901 - one case for each kind of verdict
    match verdict:
        case Jump(chain):
            return ["jump", _chain(chain)]
        case Return():
            return ["return"]
        case Accept():
            return ["accept"]
        case Drop():
            return ["drop"]
        case Redirect(port):
            return ["redirect", "to", f":{port}"]
        case SetMark(value):
            return ["meta", "mark", "set", str(value)]
        case SaveMark():
            return ["ct", "mark", "set", "mark"]
        case RestoreMark():
            return ["meta", "mark", "set", "ct", "mark"]
        case Zone(number):
            return ["ct", "zone", "set", str(number)]
        case TransparentProxy():
            return _transparent(verdict, None)
        case _:
            assert_never(verdict)
