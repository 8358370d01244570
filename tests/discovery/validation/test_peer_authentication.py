"""Rules of PeerAuthentication."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors

SELECTOR = {"matchLabels": {"app": "a"}}


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"mtls": {"mode": "STRICT"}}, []),
        ({"selector": SELECTOR, "portLevelMtls": {8080: {"mode": "DISABLE"}}}, []),
        ({"portLevelMtls": {8080: {"mode": "DISABLE"}}}, ["portLevelMtls"]),
        ({"selector": SELECTOR, "portLevelMtls": {0: {"mode": "DISABLE"}}}, ["portLevelMtls[0]"]),
        ({"selector": {"matchLabels": {"app": "*"}}}, ["selector"]),
    ],
)
def test_ports_are_those_of_selected_workloads(spec: dict[str, Any], where: list[str]) -> None:
    """And labels are compared as they are."""
    assert errors("PeerAuthentication", spec) == where
