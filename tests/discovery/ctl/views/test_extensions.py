"""Extension configurations as a table."""

from __future__ import annotations

from discovery.ctl.dump import Dump
from discovery.ctl.views.extensions import extensions_table


def test_sorted_by_type_then_name() -> None:
    """One whose configuration has not come has no type."""
    entries = [
        {"ecdsFilter": {"name": "b", "typedConfig": {"@type": "type.googleapis.com/x.Wasm"}}},
        {"ecdsFilter": {"name": "a", "typedConfig": {"@type": "type.googleapis.com/x.Wasm"}}},
        {"ecdsFilter": {"name": "c"}},
    ]
    kind = "type.googleapis.com/envoy.admin.v3.EcdsConfigDump"
    shown = extensions_table(Dump({"configs": [{"@type": kind, "ecdsFilters": entries}]}))
    assert [line.split() for line in shown.splitlines()[1:]] == [["c"], ["a", "x.Wasm"], ["b", "x.Wasm"]]
