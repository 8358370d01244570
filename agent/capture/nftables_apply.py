"""Puts the nftables plan into the kernel in one transaction, and takes our tables out again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from agent.capture.nftables import OUR_TABLES, nftables_entries, render_cleanup, render_transaction, settle
from agent.capture.processes import Runner, must
from agent.capture.rules import Rule
from discovery.runtime.logs import get_logger

__all__ = ["apply_nftables", "clean_nftables"]

_TABLE: Final = re.compile(r"^table inet (\S+)", re.MULTILINE)
_CHAIN: Final = re.compile(r"^\tchain (\S+) \{", re.MULTILINE)
_log = get_logger("default")


def apply_nftables(rules: Sequence[Rule], runner: Runner) -> None:
    """Make the rules; those of earlier settings go in the same transaction, so no packet sees neither or both.

    Raises:
        CaptureError: not possible; then all is as before.
    """
    entries = nftables_entries(rules)
    wanted = settle(entries)
    outdated = [table for table in _present(runner) if not _chains(table, runner) <= wanted.get(table, {}).keys()]
    if outdated:
        _log.info("tables of other settings are replaced", tables=outdated)
    must(runner, ("nft", "-f", "-"), stdin=render_cleanup(outdated) + render_transaction(entries))


def clean_nftables(runner: Runner) -> None:
    """Remove our tables, whichever are there.

    Raises:
        CaptureError: not possible; then all is as before.
    """
    must(runner, ("nft", "-f", "-"), stdin=render_cleanup())


def _present(runner: Runner) -> list[str]:
    tables = _TABLE.findall(must(runner, ("nft", "list", "tables", "inet")))
    return [table for table in OUR_TABLES.values() if table in tables]


def _chains(table: str, runner: Runner) -> set[str]:
    return set(_CHAIN.findall(must(runner, ("nft", "list", "table", "inet", table))))
