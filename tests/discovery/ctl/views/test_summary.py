"""Everything on one page."""

from __future__ import annotations

from datetime import UTC, datetime

from discovery.ctl.dump import Dump
from discovery.ctl.views.summary import summary

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_all_tables_in_order() -> None:
    """With a title over each if wanted, and an empty line between them always."""
    plain, titled = summary(Dump({}), now=NOW), summary(Dump({}), now=NOW, titles=True)
    assert [line for line in titled.splitlines() if line.startswith("---")] == [
        f"------ {title} INFO ------" for title in ("BOOTSTRAP", "CLUSTER", "LISTENER", "ROUTE", "SECRET", "ENDPOINTS")
    ]
    assert plain.count("\n\n") == 5
