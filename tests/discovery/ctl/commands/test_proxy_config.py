"""`pilotctl proxy-config`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.ctl import pilotctl, serving_debug
from tests.kit.debug_world import DebugWorld


@pytest.fixture
def address() -> Iterator[str]:
    """A control plane with one proxy."""
    world = DebugWorld()
    world.connect()
    with serving_debug(world) as address:
        yield address


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("cluster", "web.shop.svc.cluster.local 80 - outbound EDS web.shop"),
        ("listener", "15006"),
        ("route", "web.shop.svc.cluster.local:80"),
        ("endpoint", "10.2.0.1:8080"),
        ("secret", "RESOURCE NAME"),
        ("ecds", "ECDS NAME"),
        ("authz", "AUTHORIZATION POLICY"),
        ("all", "------ LISTENER INFO ------"),
    ],
)
def test_every_kind_of_a_living_proxy(address: str, kind: str, text: str) -> None:
    """As a table; as data it is JSON."""
    table = pilotctl("pc", kind, "web-1", "--discovery-address", address)
    assert table.exit_code == 0, table.output
    assert text in " ".join(table.stdout.split())
    data = pilotctl("pc", kind, "web-1", "-o", "json", "--discovery-address", address)
    json.loads(data.stdout)


def test_filters_choose(address: str) -> None:
    """Only what was asked for."""
    done = pilotctl("pc", "cluster", "web-1", "--fqdn", "web.shop.svc.cluster.local", "--discovery-address", address)
    assert len(done.stdout.splitlines()) == 2


def test_a_file_needs_no_control_plane(tmp_path: Path) -> None:
    """The answer of Envoy's own admin interface."""
    path = tmp_path / "dump.json"
    kind = "type.googleapis.com/envoy.admin.v3.BootstrapConfigDump"
    path.write_text(json.dumps({"configs": [{"@type": kind, "bootstrap": {"node": {"id": "x"}}}]}), encoding="utf-8")
    done = pilotctl("pc", "bootstrap", "-f", str(path), "-o", "yaml")
    assert done.output == "bootstrap:\n  node:\n    id: x\n"


@pytest.mark.parametrize("args", [(), ("web-1", "-f", "dump.json")])
def test_a_proxy_or_a_file(args: tuple[str, ...]) -> None:
    """Neither none nor both."""
    done = pilotctl("pc", "cluster", *args)
    assert done.exit_code == 2
    assert "give either PROXY or -f FILE" in done.output


def test_an_unknown_proxy_is_said(address: str) -> None:
    """In the control plane's words; exit status 1."""
    done = pilotctl("pc", "cluster", "nobody", "--discovery-address", address)
    assert done.exit_code == 1
    assert "Proxy not connected" in done.output
