"""Rules of WorkloadEntry."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"address": "10.0.0.1", "ports": {"http": 80}}, []),
        ({"network": "n2"}, []),
        ({}, ["address"]),
        ({"address": "10.0.0.1", "labels": {"app": "a b"}}, ["labels"]),
        ({"address": "unix://app.sock"}, ["address"]),
        ({"address": "unix:///app.sock", "ports": {"http": 80}}, ["ports"]),
        ({"address": "10.0.0.1", "ports": {"http": 0}}, ["ports['http']"]),
    ],
)
def test_an_address_is_needed_and_sockets_have_no_ports(spec: dict[str, Any], where: list[str]) -> None:
    """Only a workload on another network may be without address."""
    assert errors("WorkloadEntry", spec) == where
