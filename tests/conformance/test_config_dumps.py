"""Real Envoy dumps, seen through `pilotctl proxy-config`: the tables and data that users of istioctl know."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import yaml

from discovery.ctl.compare import compare
from discovery.ctl.dump import Dump, read_dump
from discovery.ctl.views.authorization import authorization_table
from discovery.ctl.views.bootstrap import version_summary
from discovery.ctl.views.endpoints import EndpointFilter, chosen_assignments, endpoints_table
from discovery.ctl.views.extensions import extensions_table
from discovery.ctl.views.listeners import chosen_listeners, listeners_table
from discovery.ctl.views.routes import chosen_routes, routes_table
from discovery.ctl.views.secrets import secret_rows, secrets_table
from discovery.ctl.views.summary import summary
from tests.kit.conformance import Case, cases

NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)  # the expected texts were made after the leaves and before the roots end


def _wanted(case: Case) -> EndpointFilter:
    return EndpointFilter(**(case.get("filter") or {}))


# By the words of `view`, without the output format.
TEXTS: Final[dict[str, Callable[[Dump, Case], str]]] = {
    "version lines of the proxy": lambda dump, _: version_summary(dump),
    "extension configs, summary as txt": lambda dump, _: extensions_table(dump),
    "endpoints": lambda dump, case: endpoints_table(chosen_assignments(dump, _wanted(case)), _wanted(case)),
    "route summary": lambda dump, _: routes_table(chosen_routes(dump)),
    "secret summary": lambda dump, _: secrets_table(secret_rows(dump, now=NOW)),
    "everything, summary": lambda dump, _: summary(dump, now=NOW),
    "everything, summary with a title over each table": lambda dump, _: summary(dump, now=NOW, titles=True),
}
DATA: Final[dict[str, Callable[[Dump, Case], Any]]] = {
    "the bootstrap entry of the dump": lambda dump, _: dump.section("BootstrapConfigDump"),
    "extension configs, dump as yaml": lambda dump, _: dump.section("EcdsConfigDump"),
    "extension configs, dump as json": lambda dump, _: dump.section("EcdsConfigDump"),
    "endpoints": lambda dump, case: chosen_assignments(dump, _wanted(case)),
}


def _lines(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.strip().splitlines()]


@pytest.mark.parametrize("case", cases("config-dumps", where=lambda case: "expected" in case.data))
def test_expected_view(case: Case) -> None:
    """Text line by line with runs of spaces taken as one; YAML and JSON as data."""
    dump = read_dump(case.path(case["dump"]))
    expected = case.text(case["expected"])
    if case["expected"].endswith(".txt"):
        assert _lines(TEXTS[case["view"]](dump, case)) == _lines(expected)
    else:
        wanted = json.loads(expected) if case["expected"].endswith(".json") else yaml.safe_load(expected)
        assert DATA[case["view"]](dump, case) == wanted


@pytest.mark.parametrize("case", cases("config-dumps", where=lambda case: case.name == "compare"))
def test_compare(case: Case) -> None:
    """The first dump equals itself, and differs from the second in clusters, listeners and routes."""
    first, second = read_dump(case.path(case["dump"])), read_dump(case.path(case["other"]))
    assert [found.diff for found in compare(first, first)] == ["", "", ""]
    assert [found.section for found in compare(first, second) if found.diff] == ["Clusters", "Listeners", "Routes"]


@pytest.mark.parametrize("case", cases("config-dumps", where=lambda case: case.name.startswith("describe")))
def test_describe(case: Case) -> None:
    """Every route of the dump has its row, under the virtual service that it came from where it says so."""
    dump = read_dump(case.path(case["dump"]))
    raw = json.loads(case.read(case["dump"]))
    routes = [
        rule
        for section in raw["configs"]
        for entry in section.get("dynamic_route_configs", ())
        for host in entry["route_config"].get("virtual_hosts", ())
        for rule in host.get("routes", ())
    ]
    rows = routes_table(chosen_routes(dump)).splitlines()[1:]
    assert len(rows) >= len(routes) > 0
    managed = [rule for rule in routes if "istio" in rule.get("metadata", {}).get("filter_metadata", {})]
    assert len([row for row in rows if row.split()[-1].count(".") == 1]) >= len(managed)


@pytest.mark.parametrize("case", cases("config-dumps", where=lambda case: case.name == "authz"))
def test_authorization(case: Case) -> None:
    """Each policy in the RBAC filters is named, once for each action; all listeners of the dump are shown."""
    dump = read_dump(case.path(case["dump"]))
    text = case.text(case["dump"])
    rows = authorization_table(dump).splitlines()[1:]
    named = {part.split("]")[0] for part in text.split("-policy[")[1:]}
    assert named
    assert {row.split()[-2].split(".")[0] for row in rows} == named
    assert len(listeners_table(chosen_listeners(dump)).splitlines()) > 29
