"""Rules of load balancing in a DestinationRule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings


def rule(load_balancer: dict[str, Any]) -> dict[str, Any]:
    return {"host": "a", "trafficPolicy": {"loadBalancer": load_balancer}}


@pytest.mark.parametrize(
    ("load_balancer", "where"),
    [
        ({"simple": "RANDOM"}, []),
        ({"consistentHash": {"httpCookie": {"name": ""}}}, ["consistentHash.httpCookie.name"]),
        ({"consistentHash": {"httpHeaderName": "a\n"}}, ["consistentHash.httpHeaderName"]),
        (
            {"consistentHash": {"httpCookie": {"name": "a", "attributes": [{"name": "a\n", "value": "\r"}]}}},
            ["consistentHash.httpCookie.attributes[0].name", "consistentHash.httpCookie.attributes[0].value"],
        ),
        ({"consistentHash": {"useSourceIp": True, "maglev": {"tableSize": 65537}}}, []),
        (
            {"consistentHash": {"useSourceIp": True, "maglev": {"tableSize": 65536}}},
            ["consistentHash.maglev.tableSize"],
        ),
        ({"consistentHash": {"useSourceIp": True, "ringHash": {"minimumRingSize": 8 << 20}}}, []),
        (
            {"consistentHash": {"useSourceIp": True, "ringHash": {"minimumRingSize": (8 << 20) + 1}}},
            ["consistentHash.ringHash.minimumRingSize"],
        ),
        ({"localityLbSetting": {"distribute": [{"from": "a", "to": {"a": 60, "b": 40}}]}}, []),
        ({"localityLbSetting": {"distribute": [{"from": "a/b/*", "to": {"a/b": 100}}]}}, []),
        (
            {"localityLbSetting": {"distribute": [{"from": "a/*/c", "to": {"a": 100}}]}},
            ["localityLbSetting.distribute"],
        ),
        (
            {"localityLbSetting": {"distribute": [{"from": "a/b", "to": {"a//c": 100}}]}},
            ["localityLbSetting.distribute[0].to"],
        ),
        (
            {"localityLbSetting": {"distribute": [{"from": "ab", "to": {"a": 50, "a/*": 50}}]}},
            ["localityLbSetting.distribute[0].to"],
        ),
        (
            {"localityLbSetting": {"distribute": [{"from": x, "to": {"a": 100}} for x in ("a/b", "a/bc", "c", "*")]}},
            ["localityLbSetting.distribute"],
        ),
        ({"localityLbSetting": {"failover": [{"from": "a", "to": "*"}]}}, ["localityLbSetting.failover[0]"]),
        (
            {"localityLbSetting": {"distribute": [{"from": "a", "to": {"a": 60, "b": 30}}]}},
            ["localityLbSetting.distribute[0].to"],
        ),
        ({"localityLbSetting": {"failover": [{"from": "a", "to": "a"}]}}, ["localityLbSetting.failover[0]"]),
        ({"warmup": {}}, ["warmup.duration"]),
        ({"warmup": {"duration": "10s", "minimumPercent": 101}}, ["warmup.minimumPercent"]),
    ],
)
def test_what_envoy_could_not_do_is_refused(load_balancer: dict[str, Any], where: list[str]) -> None:
    """Tables of a wrong size, shares that are no whole, a warm-up of unknown length."""
    assert errors("DestinationRule", rule(load_balancer)) == [f"trafficPolicy.loadBalancer.{path}" for path in where]


def test_the_old_ring_size_is_deprecated() -> None:
    """It works, with a warning."""
    spec = rule({"consistentHash": {"useSourceIp": True, "minimumRingSize": 10}})
    assert warnings("DestinationRule", spec) == ["trafficPolicy.loadBalancer.consistentHash.minimumRingSize"]
