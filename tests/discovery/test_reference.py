"""The reference page is what the program's tables say."""

from __future__ import annotations

from pathlib import Path

from discovery.reference import render_reference

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "pilot-discovery.md"


def test_page_is_current(update_goldens: bool) -> None:
    """`make goldens` rewrites it."""
    if update_goldens:
        PAGE.write_text(render_reference(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == render_reference()
