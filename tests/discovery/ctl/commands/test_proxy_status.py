"""`pilotctl proxy-status`."""

from __future__ import annotations

import json
from pathlib import Path

from discovery.ctl.commands.proxy_status import status_table
from discovery.wire.type_urls import CLUSTER, LISTENER, VIRTUAL_HOST
from tests.kit.ctl import pilotctl, serving_debug
from tests.kit.debug_world import DebugWorld


def test_a_column_for_each_type_that_is_watched() -> None:
    """The four always, others if any proxy watches them; what a proxy did not ask for is ignored."""
    rows = [
        {"proxy": "a", "cluster_id": "K", "istio_version": "1", "resources": {CLUSTER: {"status": "SYNCED"}}},
        {"proxy": "b", "cluster_id": "K", "istio_version": "2", "resources": {VIRTUAL_HOST: {"status": "NOT_SENT"}}},
    ]
    lines = status_table(rows).splitlines()
    assert lines[0].split() == ["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "VHDS", "VERSION"]
    assert lines[1].split() == ["a", "K", "SYNCED", *["IGNORED"] * 4, "1"]
    assert lines[2].split() == ["b", "K", *["IGNORED"] * 4, "NOT", "SENT", "2"]


def test_rejections_are_told_below() -> None:
    """With the reason, on standard error."""
    world = DebugWorld()
    world.connect(rejects=[LISTENER])
    with serving_debug(world) as address:
        done = pilotctl("ps", "--discovery-address", address)
    assert done.exit_code == 0
    assert "ERROR" in done.stdout
    assert "web-1.shop rejects LDS: no such filter" in done.stderr


def test_chosen_by_name_and_namespace_as_data() -> None:
    """`-o json` gives what the control plane said."""
    world = DebugWorld()
    world.connect("web-1.shop")
    world.connect("till-1.bank", ip="10.2.0.9")
    with serving_debug(world) as address:
        by_name = pilotctl("ps", "till", "-o", "json", "--discovery-address", address)
        by_namespace = pilotctl("ps", "-n", "shop", "-o", "json", "--discovery-address", address)
        nobody = pilotctl("ps", "nobody", "--discovery-address", address)
    assert [row["proxy"] for row in json.loads(by_name.stdout)] == ["till-1.bank"]
    assert [row["proxy"] for row in json.loads(by_namespace.stdout)] == ["web-1.shop"]
    assert "no proxies are connected whose name holds 'nobody'" in nobody.output


def test_comparison_with_what_envoy_runs(tmp_path: Path) -> None:
    """Equal sections match; a cluster that Envoy has otherwise is shown."""
    world = DebugWorld()
    world.connect()
    path = tmp_path / "dump.json"
    with serving_debug(world) as address:
        dump = json.loads(pilotctl("pc", "all", "web-1", "-o", "json", "--discovery-address", address).stdout)
        clusters = [{"cluster": {**cluster, "connectTimeout": "99s"}} for cluster in dump["clusters"]]
        prefix = "type.googleapis.com/envoy.admin.v3."
        sections = [
            {"@type": f"{prefix}ClustersConfigDump", "dynamicActiveClusters": clusters},
            {
                "@type": f"{prefix}ListenersConfigDump",
                "dynamicListeners": [{"activeState": {"listener": found}} for found in dump["listeners"]],
            },
            {
                "@type": f"{prefix}RoutesConfigDump",
                "dynamicRouteConfigs": [{"routeConfig": found} for found in dump["routes"]],
            },
        ]
        path.write_text(json.dumps({"configs": sections}), encoding="utf-8")
        done = pilotctl("ps", "web-1", "-f", str(path), "--discovery-address", address)
    assert "Clusters Don't Match" in done.output
    assert "connectTimeout: 99s" in done.output
    assert "Listeners Match\nRoutes Match\n" in done.output


def test_a_comparison_needs_a_proxy() -> None:
    """One."""
    assert pilotctl("ps", "-f", "dump.json").exit_code == 2
