"""What routes depend on."""

from __future__ import annotations

from msgspec.structs import replace

from discovery.translate.routes.keys import route_scope
from tests.kit.world import World


def test_only_what_matters_to_routes() -> None:
    """Views that differ in what routes do not show have one scope; labels and the search domain do matter."""
    view = World().view.outbound
    scope = route_scope(view)
    assert route_scope(replace(view, locality="r/z", network="n", cluster_id="c", http10=True, vhds=True)) == scope
    for change in ({"dns_domain": "x"}, {"route_labels": (("a", "b"),)}, {"dns_auto_allocate": True}):
        assert route_scope(replace(view, **change)) != scope
