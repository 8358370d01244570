"""Extension configurations (ECDS) as a table."""

from __future__ import annotations

from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table

__all__ = ["extensions_table"]


def extensions_table(dump: Dump) -> str:
    """Name and type, sorted by type; one without configuration has none."""
    rows = []
    for extension in dump.extensions():
        kind = extension.get("typedConfig", {}).get("@type", "").rpartition("/")[2]
        rows.append((extension.get("name", ""), kind))
    return render_table(("ECDS NAME", "TYPE"), sorted(rows, key=lambda row: (row[1], row[0])))
