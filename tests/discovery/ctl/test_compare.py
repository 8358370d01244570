"""Two dumps side by side."""

from __future__ import annotations

from typing import Any

from discovery.ctl.compare import compare
from discovery.ctl.dump import Dump


def dump(*names: str, **more: Any) -> Dump:
    entries = [{"cluster": {"name": name, **more}} for name in names]
    section = {"@type": "type.googleapis.com/envoy.admin.v3.ClustersConfigDump", "dynamicActiveClusters": entries}
    return Dump({"configs": [section]})


def test_order_is_no_difference() -> None:
    """Envoy lists resources as it pleases."""
    assert [found.diff for found in compare(dump("a", "b"), dump("b", "a"))] == ["", "", ""]


def test_a_changed_field_is_shown() -> None:
    """As a unified diff, in its section, with whose is whose."""
    clusters, listeners, routes = compare(dump("a", connectTimeout="1s"), dump("a", connectTimeout="2s"))
    assert clusters.section == "Clusters"
    assert "--- control plane" in clusters.diff
    assert "-- connectTimeout: 1s" in clusters.diff
    assert "+- connectTimeout: 2s" in clusters.diff
    assert listeners.diff == routes.diff == ""


def test_the_bootstrap_does_not_count() -> None:
    """A control plane does not serve it, so its absence there is no difference."""
    kind = "type.googleapis.com/envoy.admin.v3.ClustersConfigDump"
    static = {"@type": kind, "staticClusters": [{"cluster": {"name": "xds-grpc"}}]}
    assert [found.diff for found in compare(Dump({}), Dump({"configs": [static]}))] == ["", "", ""]
