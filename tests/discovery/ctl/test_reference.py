"""The reference page is what the commands say."""

from __future__ import annotations

from pathlib import Path

from discovery.ctl.reference import render_reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "pilotctl.md"


def test_page_is_current(update_goldens: bool) -> None:
    """`make goldens` rewrites it."""
    if update_goldens:
        PAGE.write_text(render_reference(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == render_reference()
