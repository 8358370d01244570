"""Paths at an API server."""

from __future__ import annotations

import pytest

from discovery.kube.resources import Resource

PODS = Resource("", "v1", "pods")
NODES = Resource("", "v1", "nodes", namespaced=False)
SIDECARS = Resource("networking.istio.io", "v1", "sidecars")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        (PODS.collection(), "/api/v1/pods"),
        (PODS.collection("shop"), "/api/v1/namespaces/shop/pods"),
        (PODS.object("shop", "web-1"), "/api/v1/namespaces/shop/pods/web-1"),
        (PODS.object("shop", "web-1", "status"), "/api/v1/namespaces/shop/pods/web-1/status"),
        (NODES.collection("ignored"), "/api/v1/nodes"),
        (NODES.object("", "n"), "/api/v1/nodes/n"),
        (SIDECARS.collection("shop"), "/apis/networking.istio.io/v1/namespaces/shop/sidecars"),
        (PODS.object("shop", "a/../b"), "/api/v1/namespaces/shop/pods/a%2F..%2Fb"),
    ],
)
def test_paths(path: str, wanted: str) -> None:
    """Core and named groups, namespaced or not; a name cannot leave its place."""
    assert path == wanted


@pytest.mark.parametrize(("namespace", "name"), [("shop", ""), ("", "web-1")])
def test_no_name_is_no_path(namespace: str, name: str) -> None:
    """Else a deletion of nothing would be one of everything."""
    with pytest.raises(ValueError, match="want a name"):
        PODS.object(namespace, name)


def test_what_it_is_called() -> None:
    """As kubectl and objects write it."""
    assert (str(PODS), PODS.api_version) == ("pods", "v1")
    assert (str(SIDECARS), SIDECARS.api_version) == ("sidecars.networking.istio.io", "networking.istio.io/v1")
