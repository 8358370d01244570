"""One endpoint as ``LbEndpoint`` bytes, written field by field.

Endpoints are the most numerous thing in a mesh and differ in little but the address. Building each as a message costs
three times as much as writing these few fields, so this is the one message that is encoded by hand; a test decodes it
with the generated classes.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint_components.proto
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from discovery.registry.endpoint import Endpoint
from discovery.wire.envoy import Metadata, serialize
from discovery.wire.labels import CANONICAL_NAME, CANONICAL_REVISION
from discovery.wire.protowire import bytes_field, uint_field, varint

__all__ = ["EndpointFacts", "encode_endpoint", "endpoint_facts"]


class EndpointFacts(NamedTuple):
    """What an endpoint's metadata says; equal for most endpoints of a service."""

    workload: str  # ``workload;namespace;canonical name;canonical revision;cluster``
    mtls: bool  # speaks mutual TLS of the mesh


def endpoint_facts(endpoint: Endpoint, *, mtls: bool) -> EndpointFacts:
    """Gather what metadata says of an endpoint."""
    labels = endpoint.labels
    name = labels.get(CANONICAL_NAME) or labels.get("app.kubernetes.io/name") or labels.get("app") or endpoint.workload
    revision = labels.get(CANONICAL_REVISION) or labels.get("app.kubernetes.io/version") or labels.get("version") or ""
    if not revision and (name or endpoint.workload):
        revision = "latest"
    parts = (endpoint.workload, endpoint.namespace, name, revision, endpoint.cluster_id)
    return EndpointFacts(";".join(parts), mtls)


@lru_cache(maxsize=4096)
def _metadata_field(facts: EndpointFacts) -> bytes:
    filters: dict[str, object] = {"istio": {"fields": {"workload": {"string_value": facts.workload}}}}
    if facts.mtls:
        filters["envoy.transport_socket_match"] = {"fields": {"tlsMode": {"string_value": "istio"}}}
    return bytes_field(3, serialize(Metadata(filter_metadata=filters)))


def encode_endpoint(endpoint: Endpoint, facts: EndpointFacts, *, weight: int) -> bytes:
    """``LbEndpoint``: address, health, metadata and weight (at least 1), in the order of their numbers."""
    if endpoint.port:
        name = endpoint.address.encode()
        socket = b"\x12" + varint(len(name)) + name + uint_field(3, endpoint.port)
        address = bytes_field(1, socket)
    else:
        address = bytes_field(2, bytes_field(1, endpoint.address.encode()))  # Pipe.path
    return (
        bytes_field(1, bytes_field(1, address))
        + uint_field(2, endpoint.health)
        + _metadata_field(facts)
        + bytes_field(4, uint_field(1, max(weight, 1)))
    )
