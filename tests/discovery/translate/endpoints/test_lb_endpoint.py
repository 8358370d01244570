"""Hand-written endpoint bytes are what the generated classes read."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.registry.endpoint import Endpoint, Health
from discovery.translate.endpoints.lb_endpoint import EndpointFacts, endpoint_encoder, endpoint_facts
from discovery.wire.envoy import LbEndpoint, LocalityLbEndpoints

names = st.text("abcdefghij0123456789.-:", min_size=1, max_size=250)


def _decoded(value: bytes) -> list[LbEndpoint]:
    return list(LocalityLbEndpoints.FromString(value).lb_endpoints)


@given(address=names, port=st.integers(1, 65535), weight=st.integers(0, 2**32 - 1), health=st.sampled_from(Health))
def test_bytes_decode_to_the_endpoint(address: str, port: int, weight: int, health: Health) -> None:
    """Every field comes back, whatever its length; a weight is at least 1."""
    encoder = endpoint_encoder(EndpointFacts(";;;;", mtls=True), port, health, weight)
    first, message = _decoded(encoder.field("10.0.0.1") + encoder.field(address))
    assert first.endpoint.address.socket_address.address == "10.0.0.1"
    socket = message.endpoint.address.socket_address
    assert (socket.address, socket.port_value) == (address, port)
    assert (message.health_status, message.load_balancing_weight.value) == (health, max(weight, 1))
    metadata = message.metadata.filter_metadata
    assert metadata["envoy.transport_socket_match"]["tlsMode"] == "istio"


@given(more=st.lists(names, min_size=1, max_size=3))
def test_further_addresses_follow_the_first(more: list[str]) -> None:
    """All else is as it is with one address."""
    encoder = endpoint_encoder(EndpointFacts(";;;;", mtls=True), 8080, Health.DRAINING, 3)
    one, several = _decoded(encoder.field("10.0.0.1") + encoder.field_of_all("10.0.0.1", tuple(more)))
    sockets = [entry.address.socket_address for entry in several.endpoint.additional_addresses]
    assert [(socket.address, socket.port_value) for socket in sockets] == [(address, 8080) for address in more]
    del several.endpoint.additional_addresses[:]
    assert one == several


def test_a_socket_file_is_a_pipe() -> None:
    """Port 0 means that the address is a path."""
    encoder = endpoint_encoder(EndpointFacts("", mtls=False), 0, Health.HEALTHY, 1)
    (message,) = _decoded(encoder.field("/run/app.sock"))
    assert message.endpoint.address.pipe.path == "/run/app.sock"
    assert "envoy.transport_socket_match" not in message.metadata.filter_metadata


def test_workload_names_itself_by_labels() -> None:
    """Canonical name and revision from the labels that people use, the workload's name and `latest` else."""
    plain = Endpoint(address="a", port=1, service_port="", workload="w", namespace="ns", cluster_id="c")
    assert endpoint_facts(plain, mtls=False).workload == "w;ns;w;latest;c"
    labelled = Endpoint(
        address="a", port=1, service_port="", workload="w", namespace="ns", labels={"app": "shop", "version": "v3"}
    )
    assert endpoint_facts(labelled, mtls=False).workload == "w;ns;shop;v3;"
