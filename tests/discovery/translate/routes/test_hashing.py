"""Hash policies of consistent hashing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.schema.destination_rule import (
    ConsistentHashLB,
    HTTPCookie,
    HTTPCookieAttribute,
    LoadBalancerSettings,
    TrafficPolicy,
)
from discovery.translate.routes.hashing import consistent_hash, hash_policy

TTL = timedelta(seconds=5)


@pytest.mark.parametrize(
    ("asked", "built"),
    [
        (ConsistentHashLB(http_header_name="x"), {"header": {"header_name": "x"}}),
        (ConsistentHashLB(use_source_ip=True), {"connection_properties": {"source_ip": True}}),
        (ConsistentHashLB(http_query_parameter_name="q"), {"query_parameter": {"name": "q"}}),
        (
            ConsistentHashLB(
                http_cookie=HTTPCookie(
                    name="c", path="/p", ttl=TTL, attributes=(HTTPCookieAttribute(name="a", value="b"),)
                )
            ),
            {"cookie": {"name": "c", "path": "/p", "ttl": TTL, "attributes": [{"name": "a", "value": "b"}]}},
        ),
        (ConsistentHashLB(), None),
        (ConsistentHashLB(use_source_ip=False), None),
    ],
)
def test_hash_policy(asked: ConsistentHashLB, built: dict[str, Any] | None) -> None:
    """Each key of a DestinationRule has its counterpart; without a key nothing is hashed."""
    assert hash_policy(asked) == built


def test_consistent_hash_of_a_policy() -> None:
    """Other load balancers hash nothing."""
    asked = ConsistentHashLB(http_header_name="x")
    assert consistent_hash(TrafficPolicy(load_balancer=LoadBalancerSettings(consistent_hash=asked))) == asked
    assert consistent_hash(TrafficPolicy(load_balancer=LoadBalancerSettings())) is None
    assert consistent_hash(TrafficPolicy()) is None
    assert consistent_hash(None) is None
