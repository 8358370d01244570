"""Everything about a proxy on one page."""

from __future__ import annotations

from datetime import datetime

from discovery.ctl.dump import Dump
from discovery.ctl.views.bootstrap import version_summary
from discovery.ctl.views.clusters import chosen_clusters, clusters_table
from discovery.ctl.views.endpoints import chosen_assignments, endpoints_table
from discovery.ctl.views.listeners import chosen_listeners, listeners_table
from discovery.ctl.views.routes import chosen_routes, routes_table
from discovery.ctl.views.secrets import secret_rows, secrets_table

__all__ = ["summary"]


def summary(dump: Dump, *, now: datetime, titles: bool = False) -> str:
    """Versions and all tables, with an empty line between them, and a title over each if wanted."""
    parts = (
        ("BOOTSTRAP", version_summary(dump)),
        ("CLUSTER", clusters_table(chosen_clusters(dump), prefix="cluster/")),
        ("LISTENER", listeners_table(chosen_listeners(dump), prefix="listener/")),
        ("ROUTE", routes_table(chosen_routes(dump), prefix="route/")),
        ("SECRET", secrets_table(secret_rows(dump, now=now), prefix="secret/")),
        ("ENDPOINTS", endpoints_table(chosen_assignments(dump), prefix="endpoint/")),
    )
    return "\n".join(f"------ {title} INFO ------\n\n{text}" if titles else text for title, text in parts)
