"""Dumps have the form of Envoy's own, and never hold a key."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf import json_format

from discovery.debug.config_dump import (
    TypeNameError,
    config_dump,
    parse_types,
    raw_resources,
    resource_data,
    resource_list,
)
from discovery.debug.json_stream import render_json
from discovery.wire.reflection import load_type
from discovery.wire.resource import resource
from discovery.wire.type_urls import CLUSTER, ENDPOINT, LISTENER, ROUTE, SECRET, VIRTUAL_HOST
from discovery.xds.connections import ConnectionInfo
from tests.kit.debug_world import DebugWorld

KINDS = ["Bootstrap", "Clusters", "Listeners", "ScopedRoutes", "Routes", "Secrets", "Ecds"]


def connected(*, vhds: bool = False) -> ConnectionInfo:
    world = DebugWorld()
    world.connect(vhds=vhds)
    found = world.connections.find("web-1")
    assert found is not None
    return found


def read(answer: Any) -> Any:
    return json.loads(b"".join(render_json(answer, pretty=False)))


def test_sections_in_envoys_order() -> None:
    """Endpoints are there only if asked for, between clusters and listeners."""
    connection = connected()
    plain, full = (read(config_dump(connection, with_endpoints=asked)) for asked in (False, True))
    prefix = "type.googleapis.com/envoy.admin.v3."
    assert [section["@type"] for section in plain["configs"]] == [f"{prefix}{kind}ConfigDump" for kind in KINDS]
    assert full["configs"][2]["@type"] == f"{prefix}EndpointsConfigDump"


def test_envoys_own_message_reads_it() -> None:
    """The whole dump parses as `envoy.admin.v3.ConfigDump`, every resource inside as its message."""
    dump = read(config_dump(connected(), with_endpoints=True))
    message = json_format.ParseDict(dump, load_type("envoy.admin.v3.ConfigDump")())
    assert len(message.configs) == len(KINDS) + 1


def test_virtual_hosts_stand_in_their_route_configuration() -> None:
    """Whether they were sent on their own or not, a reader finds the same hosts."""
    with_vhds, without = (read(config_dump(connected(vhds=vhds), with_endpoints=False)) for vhds in (True, False))
    hosts = []
    for dump in (with_vhds, without):
        (route,) = next(section for section in dump["configs"] if section["@type"].endswith(".RoutesConfigDump"))[
            "dynamicRouteConfigs"
        ]
        hosts.append({domain for host in route["routeConfig"]["virtualHosts"] for domain in host["domains"]})
    assert hosts[0] == hosts[1] != set()


def test_chosen_types_are_raw_resources() -> None:
    """By type URL, each with its type."""
    found = read(raw_resources(connected(), [ENDPOINT, VIRTUAL_HOST]))
    assert [item["clusterName"] for item in found[ENDPOINT]] == [
        "outbound|80||other.shop.svc.cluster.local",
        "outbound|80||web.shop.svc.cluster.local",
    ]
    assert found[VIRTUAL_HOST] == []


def test_lists_name_version_and_size() -> None:
    """Without decoding anything."""
    (found,) = resource_list(connected(), ROUTE)
    assert found["name"] == "80"
    assert len(found["version"]) == 16
    assert found["bytes"] > 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tlsCertificate", {"certificateChain": {"inlineString": "public"}, "privateKey": {"inlineString": "SECRET"}}),
        ("tlsCertificate", {"password": {"inlineString": "SECRET"}, "pkcs12": {"inlineString": "SECRET"}}),
        ("genericSecret", {"secret": {"inlineString": "SECRET"}}),
        ("sessionTicketKeys", {"keys": [{"inlineString": "SECRET"}]}),
    ],
)
def test_secrets_are_redacted(field: str, value: Any) -> None:
    """Nothing that a thief could use; what is public stays, and the result is still a secret in form."""
    message = json_format.ParseDict({"name": "default", field: value}, load_type(SECRET.partition("/")[2])())
    text = json.dumps(resource_data(resource(SECRET, "default", message)))
    assert "SECRET" not in text
    assert "default" in text
    assert ("public" in text) is ("certificateChain" in value)


def test_types_by_short_or_full_name() -> None:
    """As istiod's users write them; each once."""
    assert parse_types("cds, LDS,cds") == [CLUSTER, LISTENER]
    assert parse_types("envoy.config.cluster.v3.Cluster") == [CLUSTER]
    assert parse_types(ROUTE) == [ROUTE]
    assert parse_types("") == []


def test_unknown_type_names_the_known_ones() -> None:
    """A typing error should not need a manual; a part of a name is no name."""
    for wrong in ("cdss", "Cluster", "s"):
        with pytest.raises(TypeNameError, match="want one of cds, eds, lds"):
            parse_types(wrong)
