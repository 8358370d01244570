"""The settings of one pod's proxy."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from discovery.inject.errors import PodError
from discovery.inject.proxy_config import effective_proxy_config, overlay_annotation
from discovery.schema.decode import decode
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import EPOCH, Object

MESH = MeshConfig()


def proxy_config(name: str, namespace: str, spec: dict[str, Any], *, age: int = 0) -> Object:
    """A ProxyConfig object; ``age`` in seconds after the epoch."""
    (obj,) = decode(
        {
            "apiVersion": "networking.istio.io/v1beta1",
            "kind": "ProxyConfig",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        }
    ).objects
    meta = msgspec.structs.replace(obj.meta, creation_timestamp=EPOCH + timedelta(seconds=age))
    return msgspec.structs.replace(obj, meta=meta)


OBJECTS = [
    proxy_config("all", "istio-system", {"concurrency": 1, "environmentVariables": {"A": "root", "B": "root"}}),
    proxy_config("shop", "shop", {"concurrency": 2, "environmentVariables": {"B": "shop"}}, age=2),
    proxy_config("older", "shop", {"concurrency": 3}, age=1),
    proxy_config("web", "shop", {"selector": {"matchLabels": {"app": "web"}}, "image": {"imageType": "debug"}}),
    proxy_config("other", "other", {"concurrency": 9}),
]


@pytest.mark.parametrize(
    ("namespace", "labels", "annotation", "expected"),
    [
        ("elsewhere", {}, "", {"concurrency": 1, "proxyMetadata": {"A": "root", "B": "root"}}),
        ("shop", {}, "", {"concurrency": 3, "proxyMetadata": {"A": "root", "B": "root"}}),
        ("shop", {"app": "web"}, "", {"concurrency": 3, "image": {"imageType": "debug"}}),
        (
            "shop",
            {},
            "concurrency: 7\nproxyMetadata: {B: own}",
            {"concurrency": 7, "proxyMetadata": {"A": "root", "B": "own"}},
        ),
    ],
)
def test_the_nearest_wins(namespace: str, labels: dict[str, str], annotation: str, expected: dict[str, Any]) -> None:
    """Mesh, root namespace, namespace, workload, annotation; variables are merged; of two equals the oldest counts."""
    found = effective_proxy_config(
        MESH, OBJECTS, namespace=namespace, labels=labels, annotations={"proxy.istio.io/config": annotation}
    )
    assert {key: found.get(key) for key in expected} == expected
    assert found["statusPort"] == 15020


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("drainDuration: soon", "drainDuration"),
        ("[1]", "want an object"),
        ("a: [", "no valid YAML"),
        ("statusPort: x", "statusPort"),
        ("interceptionMode: SOME", "interceptionMode"),
    ],
)
def test_annotations_that_cannot_be_used(text: str, problem: str) -> None:
    """Are told, with the field."""
    with pytest.raises(PodError, match=problem):
        overlay_annotation({}, text)
