from __future__ import annotations

from discovery.registry.facts import spiffe_id


def test_identity_of_a_service_account() -> None:
    """The form that certificates carry; no account, no identity."""
    assert spiffe_id("cluster.local", "shop", "web") == "spiffe://cluster.local/ns/shop/sa/web"
    assert spiffe_id("cluster.local", "shop", "") == ""
