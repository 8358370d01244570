"""Rules of Sidecar."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings

HTTP = {"number": 80, "protocol": "HTTP", "name": "http"}
HTTPS = {"number": 443, "protocol": "HTTPS", "name": "https"}


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"egress": [{"hosts": ["./*", "*/api.example.com"]}]}, []),
        ({"egress": [{"hosts": ["*/*"]}, {"hosts": ["./*"], "port": HTTP}]}, ["egress[0]"]),
        ({"egress": [{"port": HTTP, "hosts": ["./*"]}, {"port": HTTP, "hosts": ["./*"]}]}, ["egress[1].port.number"]),
        ({"egress": [{"hosts": []}]}, ["egress[0].hosts"]),
        ({"egress": [{"hosts": ["api.example.com"]}]}, ["egress[0].hosts[0]"]),
        ({"ingress": [{"defaultEndpoint": "127.0.0.1:1"}]}, ["ingress[0].port"]),
        ({"ingress": [{"port": HTTP, "defaultEndpoint": "10.0.0.1:1"}]}, ["ingress[0].defaultEndpoint"]),
        ({"ingress": [{"port": HTTP, "defaultEndpoint": "127.0.0.1:x"}]}, ["ingress[0].defaultEndpoint"]),
        ({"ingress": [{"port": HTTP, "defaultEndpoint": "unix:///app.sock"}]}, []),
        ({}, ["spec"]),
        ({"egress": [{"port": HTTP, "bind": "10.0.0.1", "hosts": ["./*"]}]}, []),
        ({"egress": [{"port": HTTP, "bind": "unix:///s", "hosts": ["./*"]}]}, ["egress[0].bind"]),
        ({"ingress": [{"port": HTTP, "bind": "::1"}]}, []),
        ({"ingress": [{"port": HTTP, "bind": "localhost"}]}, ["ingress[0].bind"]),
        ({"ingress": [{"port": HTTP, "bind": "unix:///s"}]}, ["ingress[0].bind"]),
        ({"ingress": [{"port": HTTP, "tls": {"mode": "SIMPLE"}}]}, ["ingress[0].tls"]),
        ({"ingress": [{"port": HTTPS, "tls": {"mode": "SIMPLE"}}]}, []),
        (
            {
                "ingress": [
                    {"port": HTTPS, "tls": {"mode": "ISTIO_MUTUAL", "httpsRedirect": True, "credentialName": "a"}}
                ]
            },
            ["ingress[0].tls.mode", "ingress[0].tls.httpsRedirect", "ingress[0].tls.credentialName"],
        ),
        ({"outboundTrafficPolicy": {"mode": "ALLOW_ANY", "egressProxy": {"host": "a"}}}, []),
        ({"outboundTrafficPolicy": {"egressProxy": {"host": "a"}}}, ["outboundTrafficPolicy.egressProxy"]),
        ({"outboundTrafficPolicy": {"mode": "ALLOW_ANY_DYNAMIC_DNS"}}, ["outboundTrafficPolicy.mode"]),
        (
            {"egress": [{"bind": "unix:///s", "captureMode": "IPTABLES", "hosts": ["./*"]}]},
            ["egress[0].captureMode"],
        ),
    ],
)
def test_listeners_are_distinct_and_lead_somewhere(spec: dict[str, Any], where: list[str]) -> None:
    """The one without port comes last; an ingress leads to the workload itself."""
    assert errors("Sidecar", spec) == where


def test_what_is_covered_twice_is_a_warning() -> None:
    """It does no harm."""
    assert warnings("Sidecar", {"egress": [{"hosts": ["*/*", "./*"]}]}) == ["egress[0].hosts"]


def test_an_empty_selector_is_a_warning() -> None:
    """It is for the whole namespace, which may not be what was meant."""
    assert warnings("Sidecar", {"workloadSelector": {}, "egress": [{"hosts": ["./*"]}]}) == ["workloadSelector"]
