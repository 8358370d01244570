"""From the node of a first request to what configuration may depend on, and what people want to see of it."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from discovery.mesh.proxy import Labels, ProxyKey
from discovery.schema.addresses import is_address
from discovery.wire.envoy import Node
from discovery.wire.labels import CLUSTER, HOSTNAME, LOCALITY, LOCALITY_LEGACY, NETWORK, REGION, SUBZONE, ZONE
from discovery.wire.node import Metadata, NodeError, NodeId, parse_metadata, parse_node_id

__all__ = ["NodeFacts", "proxy_key", "read_node"]

_GRPC: Final = "grpc"
_VHDS_SINCE: Final = (1, 19)


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A node as its first request told it."""

    id: NodeId
    metadata: Metadata
    labels: Labels  # with those of its cluster, network and host, sorted
    locality: str  # region/zone/subzone
    namespace: str  # the config namespace
    ips: tuple[str, ...]
    istio_extensions: bool
    user_agent: str
    user_agent_version: tuple[int, int]
    raw_metadata: bytes  # the Struct as it came, for people


def read_node(node: Node) -> NodeFacts:
    """Understand a node.

    Raises:
        NodeError: its id or metadata cannot be understood; the text says which part and what was wanted.
    """
    node_id = parse_node_id(node.id)
    raw = _plain_struct(node.metadata)
    metadata = parse_metadata(raw)
    locality = _locality(dict(metadata.labels), node)
    version = node.user_agent_build_version.version
    return NodeFacts(
        id=node_id,
        metadata=metadata,
        labels=_with_place(metadata),
        locality=locality,
        namespace=_namespace(node_id, metadata),
        ips=_ips(node_id, metadata),
        istio_extensions=any(extension.name.startswith("istio.") for extension in node.extensions),
        user_agent=node.user_agent_name,
        user_agent_version=(version.major_number, version.minor_number),
        raw_metadata=node.metadata.SerializeToString(),
    )


def proxy_key(facts: NodeFacts, *, delta: bool, vhds: bool, auto_allocate: bool = True) -> ProxyKey:
    """What configuration may depend on.

    Args:
        facts: the node.
        delta: it speaks delta xDS; virtual hosts on their own exist only there.
        vhds: the server's switch.
        auto_allocate: whether to capture DNS is enough to be told addresses that were made for hosts.
    """
    metadata = facts.metadata
    # An Envoy that hides its version is taken for a new one: if it is not, the session notices and serves whole routes.
    recent = facts.user_agent_version == (0, 0) or facts.user_agent_version >= _VHDS_SINCE
    envoy = facts.user_agent == "envoy" and recent and metadata.generator != _GRPC
    return ProxyKey(
        type=facts.id.type,
        ips=facts.ips,
        namespace=facts.namespace,
        dns_domain=facts.id.domain,
        labels=facts.labels,
        service_account=metadata.service_account,
        cluster_id=metadata.cluster_id,
        network=metadata.network,
        locality=facts.locality,
        node_name=metadata.node_name,
        interception=metadata.interception_mode,
        istio_filters=facts.istio_extensions,
        vhds=delta and vhds and envoy,
        dns_auto_allocate=metadata.dns_capture and (metadata.dns_auto_allocate or auto_allocate),
        dns_srv=metadata.dns_srv,
        http10=metadata.http10,
        idle_timeout=metadata.idle_timeout,
        unprivileged=metadata.unprivileged_pod,
        bound=metadata.bound,
        tracing=metadata.tracing,
        http_proxy_port=_port(metadata.http_proxy_port),
        static_ports=frozenset({metadata.envoy_status_port, metadata.envoy_prometheus_port} - {0}),
        client_certificates=(
            metadata.tls_client_cert_chain,
            metadata.tls_client_key,
            metadata.tls_client_root_cert,
        ),
        server_certificates=(
            metadata.tls_server_cert_chain,
            metadata.tls_server_key,
            metadata.tls_server_root_cert,
        ),
    )


def _port(text: str) -> int:
    """A port written as text; 0 where it is none."""
    return int(text) if text.isdecimal() and int(text) < 65536 else 0


def _namespace(node_id: NodeId, metadata: Metadata) -> str:
    if metadata.namespace:
        return metadata.namespace
    first, _, rest = node_id.domain.partition(".")
    return first if rest else ""


def _ips(node_id: NodeId, metadata: Metadata) -> tuple[str, ...]:
    if metadata.instance_ips and all(map(is_address, metadata.instance_ips)):
        return metadata.instance_ips
    if node_id.ip:
        return (node_id.ip,)
    raise NodeError(f"node {node_id.name!r} has no address: neither INSTANCE_IPS nor the second part of its id is one")


def _locality(labels: dict[str, str], node: Node) -> str:
    """The labels of region, zone and subzone, else a locality label, else what the node itself says."""
    if labels.get(REGION):
        parts = [labels.get(key, "") for key in (REGION, ZONE, SUBZONE)]
    elif labels.get(LOCALITY) or labels.get(LOCALITY_LEGACY):
        text = labels.get(LOCALITY) or labels[LOCALITY_LEGACY]
        # A label value cannot hold a slash, so dots may stand for them.
        parts = text.split("/") if "/" in text else text.split(".")
    else:
        parts = [node.locality.region, node.locality.zone, node.locality.sub_zone]
    return "/".join(parts[:3]).rstrip("/")


def _with_place(metadata: Metadata) -> Labels:
    """Region, zone and subzone are not among them: what the registry knows goes before the node's word."""
    place = {CLUSTER: metadata.cluster_id, NETWORK: metadata.network, HOSTNAME: metadata.node_name}
    return tuple(sorted({**dict(metadata.labels), **{key: value for key, value in place.items() if value}}.items()))


def _plain_struct(struct: Any) -> dict[str, Any]:
    """A ``google.protobuf.Struct`` as the JSON object it stands for; ``json_format`` takes twenty times as long."""
    return {key: _plain_value(value) for key, value in struct.fields.items()}


def _plain_value(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        return _plain_struct(value.struct_value)
    if kind == "list_value":
        return [_plain_value(item) for item in value.list_value.values]
    return None if kind in (None, "null_value") else getattr(value, kind)
