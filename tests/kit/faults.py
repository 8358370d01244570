"""The table of faults: what breaks, what people see of it, what goes on. Tests and the reference page share it."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

__all__ = ["PAGE", "Fault", "faults", "render_faults"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_FILE: Final = _ROOT / "tests/integration/cases/faults.yaml"
PAGE: Final = _ROOT / "docs/reference/faults.md"

_HEAD = """# What breaks, and what goes on

Each line is a test (`tests/integration/test_faults.py` and others) that takes the texts from the same table, so this is
what the programs say; `…` stands for what differs. `make goldens` rewrites the page. Lines of the log are shown without
their time; readiness answers are those of `/healthz/ready` at port 15020.

| what breaks | what is said | what goes on, and what ends it |
|---|---|---|
"""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One row; in ``see``, "…" stands for anything."""

    name: str
    what: str
    see: tuple[str, ...]
    goes_on: str
    test: str

    def unseen(self, text: str) -> list[str]:
        """The messages that a text does not hold."""
        return [message for message in self.see if not re.search(_pattern(message), text)]


def _pattern(message: str) -> str:
    return ".*".join(re.escape(part) for part in message.split("…"))


@cache
def faults() -> dict[str, Fault]:
    """By name, in the order of the page."""
    import yaml

    rows = msgspec.convert(yaml.safe_load(_FILE.read_text(encoding="utf-8")), list[Fault])
    return {row.name: row for row in rows}


def render_faults() -> str:
    """The reference page."""
    rows = []
    for fault in faults().values():
        said = "<br>".join(f"`{message}`" for message in fault.see) or "nothing"
        rows.append(f"| {fault.what} | {said.replace('|', chr(92) + '|')} | {fault.goes_on} |")
    return _HEAD + "\n".join(rows) + "\n"
