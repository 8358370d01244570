"""Which iptables is in use: there are two kernel interfaces, and rules in one are invisible to the other's tools.

Where the old interface already has rules they go on living there; otherwise the new one is taken.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from agent.capture.processes import CaptureError, Runner
from agent.capture.rules import Family

__all__ = ["Tool", "find_tool"]

_BASE: Final = {Family.IPV4: "iptables", Family.IPV6: "ip6tables"}
_VERSION: Final = re.compile(r"v(\d+)\.(\d+)\.(\d+)(?:\s+\((legacy|nf_tables)\))?")
# Never true and never there: asking for it changes nothing, and is answered with 1 where the table works.
_PROBE: Final = ("-t", "nat", "-C", "INPUT", "-p", "255", "-j", "RETURN")


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """The programs for one family.

    Attributes:
        name: what their names begin with, such as ``iptables-nft``.
        native: they speak the kernel's new interface.
        wait: flags that make them wait for the lock of the old one.
    """

    family: Family
    name: str
    native: bool = False
    wait: tuple[str, ...] = ()

    @property
    def save(self) -> tuple[str, ...]:
        """Prints all rules."""
        return (f"{self.name}-save",)

    @property
    def restore(self) -> tuple[str, ...]:
        """Takes a restore file and leaves all else."""
        return (f"{self.name}-restore", *self.wait, "--noflush")

    def single(self, *arguments: str) -> tuple[str, ...]:
        """One command."""
        return (self.name, *self.wait, *arguments)


def find_tool(family: Family, runner: Runner, *, forced: str = "") -> Tool:
    """The programs to use.

    Args:
        forced: ``legacy`` or ``nft``; empty looks.

    Raises:
        CaptureError: none works; with what each said.
    """
    base = _BASE[family]
    names = [f"{base}-{forced}"] if forced else [f"{base}-nft", base, f"{base}-legacy"]
    if not forced and _has_rules(f"{base}-legacy", runner):
        names.insert(0, f"{base}-legacy")
    said = []
    for name in names:
        tool = _describe(family, name, runner)
        outcome = runner.run(tool.single(*_PROBE)) if tool else runner.run((name, "--version"))
        if tool and outcome.status in (0, 1):
            return tool
        said.append(f"{name}: {' '.join(outcome.errors.split()) or f'status {outcome.status}'}")
    raise CaptureError(
        f"no usable {base}: {'; '.join(said)}."
        " Run as root with CAP_NET_ADMIN, install iptables, or use --native-nftables"
    )


def _has_rules(name: str, runner: Runner) -> bool:
    outcome = runner.run((f"{name}-save",))
    return outcome.status == 0 and any(line.startswith("-A") for line in outcome.output.splitlines())


def _describe(family: Family, name: str, runner: Runner) -> Tool | None:
    outcome = runner.run((name, "--version"))
    found = _VERSION.search(outcome.output)
    if outcome.status or not found:
        return None
    native = found[4] == "nf_tables" or (found[4] is None and name.endswith("-nft"))
    waits = not native and tuple(map(int, found.group(1, 2, 3))) >= (1, 6, 2)
    return Tool(family=family, name=name, native=native, wait=("--wait=30",) if waits else ())
