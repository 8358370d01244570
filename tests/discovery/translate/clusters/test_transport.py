"""How a cluster speaks to its endpoints."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from discovery.registry.service import Port, Protocol, Registry, Resolution, Service, ServiceRef
from discovery.schema.destination_rule import ClientTLSMode, ClientTLSSettings
from discovery.schema.meta import Kind, ObjectKey
from discovery.schema.peer_authentication import MutualTLSMode
from discovery.translate.clusters.transport import Peer, effective_tls, transport_bytes, upstream_names
from discovery.wire.envoy import Cluster, UpstreamTlsContext

SERVICE = Service(
    ref=ServiceRef("a.example", "shop"),
    name="a",
    registry=Registry.KUBERNETES,
    source=ObjectKey(Kind.SERVICE, "shop", "a"),
    ports=(),
    resolution=Resolution.CLIENT_SIDE_LB,
)
PEER = Peer(
    service=SERVICE,
    port=Port("http", 80, Protocol.HTTP),
    subset="v1",
    accounts=("spiffe://td/ns/shop/sa/a",),
    mode=MutualTLSMode.PERMISSIVE,
    auto_mtls=True,
    http2=False,
    client_certificates=("", "", ""),
)


def built(settings: ClientTLSSettings | None, peer: Peer = PEER) -> Any:
    return Cluster.FromString(transport_bytes(effective_tls(settings, peer), peer))


def context(socket: Any) -> Any:
    return UpstreamTlsContext.FromString(socket.typed_config.value)


def test_found_out_endpoint_by_endpoint() -> None:
    """Without a rule, mutual TLS to the endpoints that announce it and plaintext to the others."""
    mutual, plain = built(None).transport_socket_matches
    assert (mutual.match["tlsMode"], dict(plain.match)) == ("istio", {})
    assert plain.transport_socket.name == "envoy.transport_sockets.raw_buffer"
    told = context(mutual.transport_socket)
    assert told.sni == "outbound_.80_.v1_.a.example"
    validation = told.common_tls_context.combined_validation_context.default_validation_context
    assert [san.matcher.exact for san in validation.match_typed_subject_alt_names] == list(PEER.accounts)


@pytest.mark.parametrize(
    "peer",
    [
        PEER._replace(auto_mtls=False),
        PEER._replace(mode=MutualTLSMode.DISABLE),
        PEER._replace(service=msgspec.structs.replace(SERVICE, external=True)),
    ],
)
def test_plaintext_where_mutual_tls_is_not_spoken(peer: Peer) -> None:
    """Switched off in the mesh, by the peer, or outside of the mesh."""
    assert effective_tls(None, peer) is None
    assert transport_bytes(None, peer) == b""


def test_a_rule_has_the_last_word() -> None:
    """What is written is for all endpoints, whatever they announce."""
    assert effective_tls(ClientTLSSettings(mode=ClientTLSMode.DISABLE), PEER) is None
    told = built(ClientTLSSettings(mode=ClientTLSMode.ISTIO_MUTUAL, sni="x", subject_alt_names=("b.example",)))
    assert not told.transport_socket_matches
    assert context(told.transport_socket).sni == "x"


def test_a_users_own_certificates() -> None:
    """Files of the proxy are secrets of the agent; without a CA the roots are the system's, and never none."""
    mutual = ClientTLSSettings(mode=ClientTLSMode.MUTUAL, client_certificate="/c", private_key="/k")
    common = context(built(mutual).transport_socket).common_tls_context
    assert [secret.name for secret in common.tls_certificate_sds_secret_configs] == ["file-cert:/c~/k"]
    assert common.combined_validation_context.validation_context_sds_secret_config.name == "file-root:system"


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (None, {}),
        (ClientTLSSettings(mode=ClientTLSMode.ISTIO_MUTUAL), {}),
        (ClientTLSSettings(mode=ClientTLSMode.SIMPLE, sni="x"), {}),
        (ClientTLSSettings(mode=ClientTLSMode.SIMPLE), {"auto_sni": True, "auto_san_validation": True}),
        (ClientTLSSettings(mode=ClientTLSMode.SIMPLE, insecure_skip_verify=True), {"auto_sni": True}),
    ],
)
def test_names_from_the_request(settings: ClientTLSSettings | None, expected: dict[str, Any]) -> None:
    """Where no server name is written, it is the one that the request is for."""
    assert upstream_names(settings) == expected
