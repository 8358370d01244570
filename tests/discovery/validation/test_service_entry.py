"""Rules of ServiceEntry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings

HTTP = {"number": 80, "name": "http", "protocol": "HTTP"}


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1"}]}, []),
        ({"hosts": []}, ["hosts"]),
        ({"hosts": ["*"]}, ["hosts[0]"]),
        ({"resolution": "STATIC", "endpoints": [{"address": "db.example.com"}]}, ["endpoints[0].address"]),
        ({"resolution": "NONE", "endpoints": [{"address": "10.0.0.1"}]}, ["endpoints"]),
        ({"resolution": "DNS", "hosts": ["*.example.com"]}, ["hosts[0]"]),
        ({"resolution": "DNS", "addresses": ["10.0.0.0/8"]}, ["addresses[0]"]),
        ({"addresses": ["here"]}, ["addresses[0]"]),
        ({"resolution": "DYNAMIC_DNS"}, ["hosts"]),
        (
            {"resolution": "STATIC", "endpoints": [{"address": "10.0.0.1", "ports": {"no": 1}}]},
            ["endpoints[0].ports"],
        ),
        ({"exportTo": ["*", "a"]}, ["exportTo"]),
        ({"ports": [{**HTTP, "protocol": "SMTP"}]}, ["ports[0].protocol"]),
        ({"hosts": ["a.b", "c.d"], "resolution": "DNS", "ports": [{**HTTP, "protocol": "TCP"}]}, ["ports[0].protocol"]),
        ({"hosts": ["a.b", "c.d"], "resolution": "DNS"}, []),
        ({"hosts": ["*.b"], "resolution": "DYNAMIC_DNS"}, []),
        (
            {"hosts": ["*.b"], "resolution": "DYNAMIC_DNS", "ports": [{**HTTP, "protocol": "TCP"}]},
            ["ports[0].protocol"],
        ),
    ],
)
def test_hosts_addresses_and_endpoints_fit_the_resolution(fields: dict[str, Any], where: list[str]) -> None:
    """Otherwise the cluster would lead nowhere."""
    assert errors("ServiceEntry", {"hosts": ["a.example.com"], "ports": [HTTP], **fields}) == where


def test_a_wildcard_for_part_of_a_name_is_a_warning() -> None:
    """Envoy matches whole labels."""
    assert warnings("ServiceEntry", {"hosts": ["*api.example.com"], "ports": [HTTP]}) == ["hosts[0]"]


def test_hosts_that_share_an_address_of_a_plain_port_are_a_warning() -> None:
    """All of them are one to a proxy."""
    spec = {
        "hosts": ["a.b", "c.d"],
        "resolution": "DNS",
        "addresses": ["1.2.3.4"],
        "ports": [{**HTTP, "protocol": "TCP"}],
    }
    assert warnings("ServiceEntry", spec) == ["ports[0].protocol"]
