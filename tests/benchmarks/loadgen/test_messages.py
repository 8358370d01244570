from benchmarks.loadgen.messages import Sidecar, delta_request, encode_node, encode_versions, sotw_request
from discovery.wire.envoy import DeltaDiscoveryRequest, DiscoveryRequest, Node
from discovery.wire.node import parse_metadata, parse_node_id
from discovery.wire.protowire import bytes_field
from discovery.wire.type_urls import CLUSTER, ENDPOINT


def test_node_is_what_the_control_plane_reads() -> None:
    """The id has four parts, and labels and addresses stand under Istio's keys."""
    sidecar = Sidecar(name="web-1", ip="10.1.2.3", namespace="shop", labels=(("app", "web"),))
    node = Node.FromString(encode_node(sidecar))
    parsed = parse_node_id(node.id)
    metadata = parse_metadata({key: _plain(value) for key, value in node.metadata.fields.items()})
    assert (parsed.ip, parsed.name, parsed.domain) == ("10.1.2.3", "web-1.shop", "shop.svc.cluster.local")
    assert (metadata.namespace, metadata.instance_ips, metadata.labels) == ("shop", ("10.1.2.3",), (("app", "web"),))
    assert node.user_agent_name == "envoy"


def _plain(value: object) -> object:
    kind = value.WhichOneof("kind")  # type: ignore[attr-defined]  # a generated Value
    plain = getattr(value, kind)
    return {key: _plain(inner) for key, inner in plain.fields.items()} if kind == "struct_value" else plain


def test_delta_request_carries_names_versions_and_the_node_before_it() -> None:
    """A hand-encoded request reads back with generated classes."""
    versions = encode_versions({"a": "1", "b": "2"})
    body = delta_request(ENDPOINT, subscribe=frozenset("ab"), unsubscribe=frozenset("c"), versions=versions)
    request = DeltaDiscoveryRequest.FromString(bytes_field(1, encode_node(Sidecar(name="n", ip="10.0.0.1"))) + body)
    assert request.node.id.startswith("sidecar~10.0.0.1~n.bench~")
    assert (request.type_url, list(request.resource_names_subscribe)) == (ENDPOINT, ["a", "b"])
    assert list(request.resource_names_unsubscribe) == ["c"]
    assert dict(request.initial_resource_versions) == {"a": "1", "b": "2"}
    assert not request.HasField("error_detail")


def test_nack_carries_the_reason() -> None:
    """A NACK has the nonce and an error detail, in both variants."""
    delta = DeltaDiscoveryRequest.FromString(delta_request(CLUSTER, nonce="7", error="bad cluster"))
    sotw = DiscoveryRequest.FromString(sotw_request(CLUSTER, nonce="7", error="bad cluster", version="1"))
    assert (delta.response_nonce, delta.error_detail.message) == ("7", "bad cluster")
    assert (sotw.response_nonce, sotw.error_detail.message, sotw.version_info) == ("7", "bad cluster", "1")
