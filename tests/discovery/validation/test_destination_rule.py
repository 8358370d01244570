"""Rules of DestinationRule."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("policy", "where"),
    [
        ({"connectionPool": {"tcp": {"maxConnections": -1}}}, ["connectionPool.tcp.maxConnections"]),
        ({"connectionPool": {"tcp": {"connectTimeout": "0.0001s"}}}, ["connectionPool.tcp.connectTimeout"]),
        (
            {"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE", "useClientProtocol": True}}},
            ["connectionPool.http.h2UpgradePolicy"],
        ),
        ({"outlierDetection": {"maxEjectionPercent": 200}}, ["outlierDetection.maxEjectionPercent"]),
        ({"tls": {"mode": "MUTUAL"}}, ["tls.clientCertificate", "tls.privateKey"]),
        ({"tls": {"mode": "SIMPLE", "credentialName": "c", "caCertificates": "/ca.pem"}}, ["tls.credentialName"]),
        ({"portLevelSettings": [{}]}, ["portLevelSettings[0].port"]),
        ({"tls": {"mode": "ISTIO_MUTUAL"}}, []),
    ],
)
def test_settings_that_contradict_each_other_are_refused(policy: dict[str, Any], where: list[str]) -> None:
    """At the place where the contradiction stands."""
    found = errors("DestinationRule", {"host": "a", "trafficPolicy": policy})
    assert found == [f"trafficPolicy.{path}" for path in where]


def test_subsets_are_told_apart_by_name() -> None:
    """And a rule is for some host."""
    subset = {"name": "v1", "labels": {"version": "v1"}}
    assert errors("DestinationRule", {"host": "reviews", "subsets": [subset, subset]}) == ["subsets[1].name"]
    assert errors("DestinationRule", {"subsets": [subset]}) == ["host"]
