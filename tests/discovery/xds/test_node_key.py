"""From a node to what configuration may depend on."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.wire.envoy import Node
from discovery.wire.labels import CLUSTER, HOSTNAME, LOCALITY, NETWORK, REGION, SUBZONE, ZONE
from discovery.wire.node import InterceptionMode, NodeError
from discovery.xds.node_key import proxy_key, read_node

ID = "sidecar~10.0.0.1~web-0.shop~shop.svc.cluster.local"


def node(node_id: str = ID, *, agent: str = "envoy", version: tuple[int, int] = (1, 40), **metadata: object) -> Node:
    made = Node(id=node_id, user_agent_name=agent)
    made.metadata.update(metadata)
    made.user_agent_build_version.version.major_number, made.user_agent_build_version.version.minor_number = version
    return made


def test_metadata_becomes_the_key() -> None:
    """Lists come as one comma-joined text, booleans as texts."""
    key = proxy_key(
        read_node(
            node(
                NAMESPACE="other",
                INSTANCE_IPS="10.0.0.1,fd00::1",
                SERVICE_ACCOUNT="web",
                CLUSTER_ID="c1",
                NETWORK="n1",
                NODE_NAME="host",
                INTERCEPTION_MODE="NONE",
                LABELS={"app": "web"},
                HTTP10="true",
                ENVOY_STATUS_PORT=15021.0,
            )
        ),
        delta=True,
        vhds=True,
    )
    assert (key.namespace, key.ips, key.service_account) == ("other", ("10.0.0.1", "fd00::1"), "web")
    assert dict(key.labels) == {"app": "web", CLUSTER: "c1", NETWORK: "n1", HOSTNAME: "host"}
    assert (key.interception, key.http10, key.static_ports) == (InterceptionMode.NONE, True, frozenset({15021}))


def test_the_namespace_is_the_first_part_of_the_domain_when_nothing_else_says_it() -> None:
    """If the domain has one."""
    assert read_node(node()).namespace == "shop"
    assert read_node(node("sidecar~10.0.0.1~a.b~local")).namespace == ""


def test_bad_addresses_fall_back_to_the_id_and_none_is_an_error() -> None:
    """A proxy without an address cannot be anybody's endpoint."""
    assert read_node(node(INSTANCE_IPS="10.0.0.9,nonsense")).ips == ("10.0.0.1",)
    with pytest.raises(NodeError, match="INSTANCE_IPS"):
        read_node(node("sidecar~~a.b~b.svc.cluster.local"))


@pytest.mark.parametrize(
    ("labels", "wanted"),
    [
        ({REGION: "r", ZONE: "z", SUBZONE: "s", LOCALITY: "x.y"}, "r/z/s"),
        ({LOCALITY: "r.z"}, "r/z"),
        ({LOCALITY: "r/z.1"}, "r/z.1"),
        ({}, "region/zone"),
    ],
)
def test_locality_comes_from_labels_first(labels: dict[str, str], wanted: str) -> None:
    """Region, zone and subzone; then the one label; then the node's own word."""
    made = node(LABELS=labels)
    made.locality.region, made.locality.zone = "region", "zone"
    assert read_node(made).locality == wanted


@pytest.mark.parametrize(
    ("agent", "version", "metadata", "delta", "wanted"),
    [
        ("envoy", (1, 40), {}, True, True),
        ("envoy", (1, 19), {}, True, True),
        ("envoy", (0, 0), {}, True, True),
        ("envoy", (1, 18), {}, True, False),
        ("envoy", (1, 40), {}, False, False),
        ("gRPC Python", (1, 75), {}, True, False),
        ("envoy", (1, 40), {"GENERATOR": "grpc"}, True, False),
        ("", (0, 0), {}, True, False),
    ],
)
def test_virtual_hosts_on_their_own_are_for_envoys_that_can(
    agent: str, version: tuple[int, int], metadata: dict[str, str], *, delta: bool, wanted: bool
) -> None:
    """Delta, an Envoy, and recent; and never when the switch is off."""
    facts = read_node(node(agent=agent, version=version, **metadata))
    assert proxy_key(facts, delta=delta, vhds=True).vhds is wanted
    assert not proxy_key(facts, delta=delta, vhds=False).vhds


@pytest.mark.parametrize(
    ("metadata", "switch", "wanted"),
    [
        ({"DNS_CAPTURE": "true"}, True, True),
        ({"DNS_CAPTURE": "true"}, False, False),
        ({"DNS_CAPTURE": "true", "DNS_AUTO_ALLOCATE": "true"}, False, True),
        ({"DNS_AUTO_ALLOCATE": "true"}, True, False),
        ({}, True, False),
    ],
)
def test_made_up_addresses_are_for_those_who_capture_dns(
    metadata: dict[str, Any], *, switch: bool, wanted: bool
) -> None:
    """Nobody else would ever be told them; without the switch they have to be asked for besides."""
    key = proxy_key(read_node(node(**metadata)), delta=True, vhds=True, auto_allocate=switch)
    assert key.dns_auto_allocate is wanted


@pytest.mark.parametrize(("metadata", "wanted"), [({"DNS_SRV": "true"}, True), ({"DNS_CAPTURE": "true"}, False)])
def test_ports_of_names_are_for_those_who_ask(metadata: dict[str, Any], *, wanted: bool) -> None:
    """Agents of others do not, and get the tables that they know."""
    assert proxy_key(read_node(node(**metadata)), delta=True, vhds=True).dns_srv is wanted


def test_filters_of_istio_are_for_those_who_announce_them() -> None:
    """Upstream Envoy has none of them and would reject the listener."""
    made = node()
    assert not proxy_key(read_node(made), delta=True, vhds=True).istio_filters
    made.extensions.add(name="istio.stats")
    assert proxy_key(read_node(made), delta=True, vhds=True).istio_filters


def test_all_shapes_of_metadata_are_read() -> None:
    """Numbers, lists, nothing and nested objects, as JSON would have them."""
    facts = read_node(node(OWNER=None, LIST=["a", {"b": 1.0}], NESTED={"x": {"y": True}}, NAME="web-0"))
    assert facts.metadata.name == "web-0"
    assert b"NESTED" in facts.raw_metadata
