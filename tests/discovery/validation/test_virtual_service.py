"""Rules of VirtualService apart from its HTTP routes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors

ROUTE = [{"route": [{"destination": {"host": "a"}}]}]
TARGET = [{"destination": {"host": "a"}}]


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"hosts": ["a"], "http": ROUTE}, []),
        ({"http": ROUTE}, []),
        ({"gateways": ["g"], "http": ROUTE}, ["hosts"]),
        ({"hosts": ["a"]}, [""]),
        ({"hosts": ["*"], "http": ROUTE}, ["hosts[0]"]),
        ({"hosts": ["*"], "gateways": ["g"], "http": ROUTE}, []),
        ({"hosts": ["a", "a"], "http": ROUTE}, ["hosts"]),
        ({"hosts": ["a"], "tls": [{"match": [{"sniHosts": ["a"]}], "route": TARGET}]}, []),
        ({"hosts": ["a"], "tls": [{"route": TARGET}]}, ["tls[0].match"]),
        ({"hosts": ["a"], "tls": [{"match": [{}], "route": TARGET}]}, ["tls[0].match[0].sniHosts"]),
        ({"hosts": ["a"], "tcp": [{}]}, ["tcp[0].route"]),
    ],
)
def test_hosts_and_layer_4_routes(spec: dict[str, Any], where: list[str]) -> None:
    """A VirtualService without hosts is one that others delegate to."""
    assert [path.removeprefix("spec") for path in errors("VirtualService", spec)] == where
