"""Rules of VirtualService apart from its HTTP routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings

ROUTE = [{"route": [{"destination": {"host": "a"}}]}]
TARGET = [{"destination": {"host": "a"}}]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"hosts": ["a"], "http": ROUTE}, []),
        ({"http": ROUTE}, []),
        ({"gateways": ["g"], "http": ROUTE}, ["hosts"]),
        ({"hosts": ["a"], "gateways": ["my_gateway"], "http": ROUTE}, ["gateways[0]"]),
        ({"hosts": ["a"]}, [""]),
        ({"hosts": ["*"], "http": ROUTE}, ["hosts[0]"]),
        ({"hosts": ["*"], "gateways": ["g"], "http": ROUTE}, []),
        ({"hosts": ["a", "a"], "http": ROUTE}, ["hosts"]),
        ({"hosts": ["a"], "tls": [{"match": [{"sniHosts": ["a"]}], "route": TARGET}]}, []),
        ({"hosts": ["a"], "tls": [{"route": TARGET}]}, ["tls[0].match"]),
        ({"hosts": ["a"], "tls": [{"match": [{}], "route": TARGET}]}, ["tls[0].match[0].sniHosts"]),
        ({"hosts": ["a"], "tcp": [{}]}, ["tcp[0].route"]),
        ({"hosts": ["*.b.c", "a.b.c", "*.x.b.c", "b.c"], "http": ROUTE}, ["hosts[1]", "hosts[2]"]),
        ({"hosts": ["a"], "tls": [{"match": [{"sniHosts": ["b"]}], "route": TARGET}]}, ["tls[0].match[0].sniHosts[0]"]),
        ({"hosts": ["*.b"], "tls": [{"match": [{"sniHosts": ["a.b", "*.b"]}], "route": TARGET}]}, []),
        (
            {"hosts": ["a"], "tcp": [{"match": [{"port": 70000, "destinationSubnets": ["x"]}], "route": TARGET}]},
            ["tcp[0].match[0].port", "tcp[0].match[0].destinationSubnets[0]"],
        ),
        ({"hosts": ["a"], "gateways": ["mesh", "g", "ns/g"], "http": ROUTE}, []),
        (
            {"hosts": ["a"], "gateways": ["n s/g", "ns/", "ns/g~x"], "http": ROUTE},
            ["gateways[0]", "gateways[1]", "gateways[2]"],
        ),
    ],
)
def test_hosts_and_layer_4_routes(spec: dict[str, Any], where: list[str]) -> None:
    """A VirtualService without hosts is one that others delegate to."""
    assert [path.removeprefix("spec") for path in errors("VirtualService", spec)] == where


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"hosts": ["a"], "http": [*ROUTE, *ROUTE]}, ["http[1]"]),
        ({"hosts": ["a"], "gateways": ["g.ns.svc"], "http": ROUTE}, ["gateways[0]"]),
        (
            {"hosts": ["a"], "tls": [{"match": [{"sniHosts": ["1.2.3.4"]}], "route": TARGET}]},
            ["tls[0].match[0].sniHosts[0]"],
        ),
    ],
)
def test_what_has_no_effect_is_told(spec: dict[str, Any], where: list[str]) -> None:
    """The object is served all the same."""
    assert errors("VirtualService", spec) == []
    assert warnings("VirtualService", spec) == where
