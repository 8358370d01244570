"""What we write field by field is read by an implementation that shares no line with the one we build with.

`envoy-data-plane` decodes in pure Python from its own compilation of Envoy's API. It must know every field, and what it
writes back must be the message we meant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route

from discovery.wire.reflection import decode
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, VIRTUAL_HOST
from tests.kit.world import World

HERE = Path(__file__).parent
CASES = sorted(HERE.rglob("*.in.yaml"))
DECODERS: Final[dict[str, Any]] = {
    CLUSTER: cluster.Cluster,
    ENDPOINT: endpoint.ClusterLoadAssignment,
    LISTENER: listener.Listener,
    ROUTE: route.RouteConfiguration,
    VIRTUAL_HOST: route.VirtualHost,
}


def unknown_fields(message: Any) -> Iterator[str]:
    """Messages below this one in which bytes were not understood."""
    if getattr(message, "_unknown_fields", b""):
        yield type(message).__name__
    for field in dataclasses.fields(message):
        value = getattr(message, field.name)
        items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        for item in items:
            if dataclasses.is_dataclass(item):
                yield from unknown_fields(item)


@pytest.mark.filterwarnings("ignore:RouteAction.max_grpc_timeout")  # on purpose, see `routes.action`
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parents[1].name}/{case.name.removesuffix('.in.yaml')}")
def test_everything_rendered_is_understood(case: Path) -> None:
    """Every resource of every golden case, whichever of them it is about (`Only` is for the printed goldens)."""
    world = World()
    documents = yaml.load_all(case.read_text(encoding="utf-8"), yaml.CSafeLoader)
    world.load(document for document in documents if document and document.get("kind") != "Only")
    routes = world.rendered(ROUTE)
    count = 0
    for type_url, decoder in DECODERS.items():
        for name, resource in world.rendered(type_url, routes=routes).items():
            read = decoder.parse(resource.value)
            assert list(unknown_fields(read)) == [], name
            assert decode(type_url, bytes(read)) == decode(type_url, resource.value), name
            count += 1
    assert count


def test_there_are_cases() -> None:
    """A moved folder must not pass as "all understood"."""
    assert len(CASES) > 50
