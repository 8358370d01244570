"""The agent's DNS answers, and the name table that the control plane sends it."""

from __future__ import annotations

import pytest
import yaml
from msgspec.structs import replace

from discovery.wire.type_urls import NAME_TABLE
from tests.kit.conformance import Case, cases
from tests.kit.name_table import read_name_table
from tests.kit.world import DEFAULT_PROXY, World


@pytest.mark.parametrize("case", cases("dns", where=lambda case: case["kind"] == "name_table"))
def test_name_table(case: Case) -> None:
    """The names and addresses of the table; addresses made for hosts are those that Istio makes."""
    metadata = case["node_metadata"]
    assert case["env"]["PILOT_ENABLE_IP_AUTOALLOCATE"] == "false", "so only what the proxy says counts"
    world = World()
    world.load(yaml.safe_load_all(case.text(case["input"])))
    world.proxy = replace(
        DEFAULT_PROXY,
        dns_auto_allocate=metadata.get("DNS_CAPTURE") == metadata.get("DNS_AUTO_ALLOCATE") == "true",
        namespace="default",
    )
    (table,) = world.rendered(NAME_TABLE).values()
    assert read_name_table(table.value) == case["expect"]
