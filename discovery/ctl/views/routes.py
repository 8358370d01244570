"""Route configurations as a table: a row for each route."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from discovery.ctl.cluster_key import managed_by
from discovery.ctl.dump import Dump
from discovery.ctl.table import render_table
from discovery.ctl.views.match import describe_match

__all__ = ["chosen_routes", "describe_domains", "routes_table"]

_HEADER: Final = ("NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE")
_DOMAINS_SHOWN: Final = 2


def chosen_routes(dump: Dump, *, name: str = "") -> list[dict[str, Any]]:
    """Route configurations, all or by name."""
    return [route for route in dump.routes() if name in ("", route.get("name", ""))]


def routes_table(routes: Iterable[dict[str, Any]], *, prefix: str = "") -> str:
    """One row for each route; ``prefix`` (``route/``) goes before names."""
    return render_table(_HEADER, [row for route in routes for row in _rows(route, prefix)])


def _rows(route: dict[str, Any], prefix: str) -> Iterator[tuple[str, ...]]:
    for host in route.get("virtualHosts", ()):
        name = route.get("name", "")
        bare = host.get("name", "").removeprefix(f"{name}/")  # as VHDS names it
        head = (prefix + name, bare, describe_domains(host.get("domains", ())))
        for rule in host.get("routes", ()):
            if rule.get("route", {}).get("cluster") != "PassthroughCluster":
                yield (*head, describe_match(rule.get("match", {})), managed_by(rule))
        if not host.get("routes"):
            yield (*head, "/*", "404")


def describe_domains(domains: Iterable[str]) -> str:
    """The shortest spelling of each host, without ports, two at most; the rest as a count."""
    found = list(domains)
    if len(found) < 2:
        return "".join(found)
    bare = [domain for domain in found if domain.count(":") != 1 and not domain.startswith("[")] or found
    shortest = [domain for domain in bare if not any(domain.startswith(f"{other}.") for other in bare)]
    shown = ", ".join(shortest[:_DOMAINS_SHOWN])
    more = len(shortest) - _DOMAINS_SHOWN
    return f"{shown} + {more} more..." if more > 0 else shown
