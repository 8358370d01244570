"""Clusters towards the application."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.translate.clusters.inbound import inbound_cluster
from discovery.translate.clusters.key import InboundClusterKey
from discovery.wire.envoy import Cluster, HttpProtocolOptions
from tests.kit.world import World


def built(text: str = "", **fields: Any) -> Any:
    return Cluster.FromString(inbound_cluster(World(text).db, InboundClusterKey(port=8080, **fields)).value)


def test_to_where_the_connection_was_going() -> None:
    """The pod's own address, from the source that capture lets pass; it is never cleaned up."""
    cluster = built()
    assert (cluster.name, cluster.type) == ("inbound|8080||", Cluster.ORIGINAL_DST)
    assert cluster.upstream_bind_config.source_address.address == "127.0.0.6"
    assert cluster.cleanup_interval.seconds > 10**9


def test_to_localhost_if_the_mesh_says_so() -> None:
    """For applications that listen on loopback only."""
    cluster = built("{kind: MeshConfig, inboundTrafficPolicy: {mode: LOCALHOST}}")
    socket = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address
    assert (socket.address, socket.port_value) == ("127.0.0.1", 8080)


def test_to_a_socket() -> None:
    """``defaultEndpoint`` may be a path."""
    cluster = built(endpoint="unix:///run/app.sock")
    assert cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.pipe.path == "/run/app.sock"


@pytest.mark.parametrize("endpoint", ["", "127.0.0.1:8080", "unix:///run/app.sock"])
def test_the_application_is_behind_no_interface(endpoint: str) -> None:
    """Where Envoy binds what it calls to a device, calls of the application are bound to none."""
    (option,) = built(endpoint=endpoint, bound=True).upstream_bind_config.socket_options
    assert (option.level, option.name, option.buf_value) == (1, 25, b"\0")
    assert not built(endpoint=endpoint).upstream_bind_config.socket_options


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [("HTTP2", "explicit_http_config"), ("GRPC-WEB", "explicit_http_config"), ("", "use_downstream_protocol_config")],
)
def test_the_application_gets_what_its_port_declares(protocol: str, expected: str) -> None:
    """HTTP/2 where it is declared; what is not declared follows the client."""
    (packed,) = built(protocol=protocol).typed_extension_protocol_options.values()
    assert HttpProtocolOptions.FromString(packed.value).HasField(expected)
    assert not built(protocol="HTTP").typed_extension_protocol_options
