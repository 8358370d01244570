"""What is told of a machine that wants to be registered."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from discovery.wire.envoy import Node
from discovery.xds.node_key import NodeFacts, read_node
from discovery.xds.workloads import registrant_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = "spiffe://cluster.local/ns/shop/sa/vm"


def facts(**metadata: object) -> NodeFacts:
    made = Node(id="sidecar~10.0.0.1~vm-0.shop~shop.svc.cluster.local")
    made.locality.region, made.locality.zone = "eu", "a"
    made.metadata.update({"NAMESPACE": "shop", **metadata})
    return read_node(made)


def test_only_who_names_a_group_or_an_entry_is_registered() -> None:
    """All others are in the registry by other means."""
    assert registrant_of(facts(), IDENTITY, NOW) is None


def test_a_registrant_is_what_the_node_says_and_who_it_was_verified_to_be() -> None:
    """The namespace that it claims and the one that was verified are kept apart."""
    found = registrant_of(
        facts(
            AUTO_REGISTER_GROUP="vm",
            INSTANCE_IPS="10.0.0.7,fd00::7",
            NETWORK="office",
            LABELS={"app": "vm"},
            PROXY_CONFIG={"readinessProbe": {"httpGet": {"port": 8080}}},
        ),
        IDENTITY,
        NOW,
    )
    assert found is not None
    assert (found.proxy, found.connected_at, found.namespace, found.group, found.entry) == (
        "vm-0.shop",
        NOW,
        "shop",
        "vm",
        "",
    )
    assert (found.identity_namespace, found.identity_account) == ("shop", "vm")
    assert (found.address, found.network, found.locality) == ("10.0.0.7", "office", "eu/a")
    assert (found.labels, found.probed) == ((("app", "vm"),), True)


@pytest.mark.parametrize("config", [{}, {"readinessProbe": None}, "text"])
def test_without_a_probe_nobody_waits_for_health(config: object) -> None:
    """Whatever the proxy's configuration looks like."""
    found = registrant_of(facts(AUTO_REGISTER_GROUP="vm", PROXY_CONFIG=config), "", NOW)
    assert found is not None
    assert not found.probed
    assert found.identity_namespace == found.identity_account == ""


def test_an_entry_that_is_named_counts_before_a_group() -> None:
    """It exists, and nothing is to be made."""
    found = registrant_of(facts(AUTO_REGISTER_GROUP="vm", WORKLOAD_ENTRY="vm-7"), IDENTITY, NOW)
    assert found is not None
    assert (found.group, found.entry) == ("", "vm-7")
