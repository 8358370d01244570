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
        ({"connectionPool": {"tcp": {"connectTimeout": "9999999h"}}}, ["connectionPool.tcp.connectTimeout"]),
        ({"tls": {"mode": "SIMPLE", "sni": "x" * 256}}, ["tls.sni"]),
        (
            {"connectionPool": {"http": {"h2UpgradePolicy": "UPGRADE", "useClientProtocol": True}}},
            ["connectionPool.http.h2UpgradePolicy"],
        ),
        ({"outlierDetection": {"maxEjectionPercent": 200}}, ["outlierDetection.maxEjectionPercent"]),
        ({"tls": {"mode": "MUTUAL"}}, ["tls.clientCertificate", "tls.privateKey"]),
        ({"tls": {"mode": "SIMPLE", "credentialName": "c", "caCertificates": "/ca.pem"}}, ["tls.credentialName"]),
        ({"portLevelSettings": [{}]}, ["portLevelSettings[0].port", "portLevelSettings[0]"]),
        ({"portLevelSettings": [{"port": {"number": 80}}]}, ["portLevelSettings[0]"]),
        ({}, [""]),
        ({"tls": {"mode": "ISTIO_MUTUAL"}}, []),
    ],
)
def test_settings_that_contradict_each_other_are_refused(policy: dict[str, Any], where: list[str]) -> None:
    """At the place where the contradiction stands."""
    found = errors("DestinationRule", {"host": "a", "trafficPolicy": policy})
    assert found == [f"trafficPolicy.{path}".removesuffix(".") for path in where]


def test_subsets_are_told_apart_by_name() -> None:
    """And a rule is for some host."""
    subset = {"name": "v1", "labels": {"version": "v1"}}
    assert errors("DestinationRule", {"host": "reviews", "subsets": [subset, subset]}) == ["subsets[1].name"]
    assert errors("DestinationRule", {"subsets": [subset]}) == ["host"]
    odd = {"name": "v1", "labels": {"version": "v 1"}}
    assert errors("DestinationRule", {"host": "reviews", "subsets": [odd]}) == ["subsets[0].labels"]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"host": "a", "workloadSelector": {}, "exportTo": ["."]}, []),
        ({"host": "a", "workloadSelector": {}, "exportTo": ["default"]}, []),
        ({"host": "a", "workloadSelector": {}, "exportTo": ["*"]}, ["exportTo"]),
        ({"host": "a", "trafficPolicy": {"tls": {"mode": "SIMPLE", "credentialName": "configmap://default/c"}}}, []),
        (
            {"host": "a", "trafficPolicy": {"tls": {"mode": "SIMPLE", "credentialName": "configmap://other/c"}}},
            ["trafficPolicy.tls.credentialName"],
        ),
        (
            {
                "host": "a",
                "trafficPolicy": {
                    "portLevelSettings": [
                        {"port": {"number": 1}, "tls": {"mode": "SIMPLE", "credentialName": "configmap://c"}}
                    ]
                },
            },
            ["trafficPolicy.portLevelSettings[0].tls.credentialName"],
        ),
        (
            {"host": "a", "trafficPolicy": {"tunnel": {"targetHost": "*", "targetPort": 1}}},
            ["trafficPolicy.tunnel.targetHost"],
        ),
    ],
)
def test_what_depends_on_the_namespace(spec: dict[str, Any], where: list[str]) -> None:
    """A rule for some workloads stays in its namespace, and so do the ConfigMaps that it names."""
    assert errors("DestinationRule", spec) == where
