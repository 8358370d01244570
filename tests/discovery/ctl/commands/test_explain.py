"""`pilotctl explain`."""

from __future__ import annotations

import json
from typing import Any

from discovery.ctl.commands.explain import render_explanation
from tests.kit.ctl import pilotctl, serving_debug
from tests.kit.debug_world import DebugWorld

WEB = "outbound|80||web.shop.svc.cluster.local"


def found(*objects: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "x",
        "version": "1",
        "renderedBy": "cluster",
        "objects": list(objects),
        "objectsOmitted": 0,
        "meshConfig": False,
    }


def test_objects_lines_and_fields() -> None:
    """From a living control plane, as text and as data."""
    world = DebugWorld()
    world.connect()
    with serving_debug(world) as address:
        text = pilotctl("explain", "web-1", "cds", WEB, "--discovery-address", address)
        data = pilotctl("explain", "web-1", "cds", WEB, "-o", "json", "--discovery-address", address)
        wrong = pilotctl("explain", "web-1", "cds", "web.shop", "--discovery-address", address)
    assert "  DestinationRule shop/web  mesh.yaml:4\n" in text.output
    assert "      spec.trafficPolicy.connectionPool.tcp.maxConnections\n" in text.output
    assert json.loads(data.output)["name"] == WEB
    assert wrong.exit_code == 1
    assert f"near: {WEB}" in wrong.output


def test_what_does_not_decide_is_counted_or_named() -> None:
    """Noise stays out unless it is wanted."""
    rule = {"kind": "DestinationRule", "namespace": "shop", "name": "web", "uid": "u-1", "decides": True}
    other = {"kind": "Service", "namespace": "shop", "name": "other", "decides": False}
    short, long = (render_explanation(found(rule, other), everything=asked) for asked in (False, True))
    assert "DestinationRule shop/web  u-1" in short
    assert "other" not in short
    assert "1 more were read" in short
    assert "Service shop/other" in long


def test_when_nothing_decides_that_is_said() -> None:
    """It is an answer."""
    assert "no single object decides" in render_explanation(found())
