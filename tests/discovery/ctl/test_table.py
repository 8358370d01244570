"""Tables for eyes and for scripts."""

from __future__ import annotations

from discovery.ctl.table import render_table


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    """The gap lies between columns; nothing trails."""
    assert render_table(("A", "B"), [("long", "x"), ("y", "")], gap=2) == "A     B\nlong  x\ny\n"


def test_a_table_without_rows_has_its_header() -> None:
    """So that nothing found does not look like an error."""
    assert render_table(("NAME", "PORT"), []) == "NAME     PORT\n"
