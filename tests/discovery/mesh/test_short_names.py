"""Names as users shorten them."""

from __future__ import annotations

import pytest

from discovery.mesh.short_names import Names, cluster_domain
from tests.kit.mesh_db import MeshDb

NAMES = Names("shop", "mesh.test")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Reviews", "reviews.shop.svc.mesh.test"),
        ("reviews.other", "reviews.other"),
        ("*.Example.com", "*.example.com"),
        ("*", "*"),
        ("", ""),
    ],
)
def test_hosts_without_a_dot_are_of_the_own_namespace(written: str, meant: str) -> None:
    """Only names without a dot or wildcard are expanded; case is folded."""
    assert NAMES.host(written) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mesh", "mesh"),
        ("gw", "shop/gw"),
        ("./gw", "shop/gw"),
        ("edge/gw", "edge/gw"),
        ("gw.edge", "edge/gw"),
        ("gw.edge.svc.cluster.local", "edge/gw"),
    ],
)
def test_gateway_names_are_qualified(written: str, meant: str) -> None:
    """Every way to write a gateway means ``namespace/name``, but for the reserved word ``mesh``."""
    assert NAMES.gateway(written) == meant


def test_the_domain_is_the_clusters() -> None:
    """The suffix comes from what the process was started with."""
    assert cluster_domain(MeshDb(domain="x.test").db, None) == "x.test"
