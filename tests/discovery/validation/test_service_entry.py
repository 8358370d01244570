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
    ],
)
def test_hosts_addresses_and_endpoints_fit_the_resolution(fields: dict[str, Any], where: list[str]) -> None:
    """Otherwise the cluster would lead nowhere."""
    assert errors("ServiceEntry", {"hosts": ["a.example.com"], "ports": [HTTP], **fields}) == where


def test_a_wildcard_for_part_of_a_name_is_a_warning() -> None:
    """Envoy matches whole labels."""
    assert warnings("ServiceEntry", {"hosts": ["*api.example.com"], "ports": [HTTP]}) == ["hosts[0]"]
