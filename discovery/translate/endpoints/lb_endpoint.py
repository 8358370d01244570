"""One endpoint as ``LbEndpoint`` bytes, written field by field.

Endpoints are the most numerous thing in a mesh and differ in little but the address. Building each as a message costs
three times as much as writing these few fields, so this is the one message that is encoded by hand; a test decodes it
with the generated classes.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint_components.proto
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from discovery.registry.endpoint import Endpoint
from discovery.translate.metadata import struct
from discovery.wire.envoy import Metadata, serialize
from discovery.wire.labels import CANONICAL_NAME, CANONICAL_REVISION
from discovery.wire.protowire import bytes_field, uint_field

__all__ = ["EndpointFacts", "encode_endpoint", "endpoint_facts"]


_SHORT: Final = 100  # bytes of an address up to which all enclosing lengths fit one byte


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
    filters = {"istio": struct({"workload": facts.workload})}
    if facts.mtls:
        filters["envoy.transport_socket_match"] = struct({"tlsMode": "istio"})
    return bytes_field(3, serialize(Metadata(filter_metadata=filters)))


@lru_cache(maxsize=4096)
def _tail(facts: EndpointFacts, health: int, weight: int) -> bytes:
    """All but the address: health, metadata and weight (at least 1), in the order of their numbers."""
    return uint_field(2, health) + _metadata_field(facts) + bytes_field(4, uint_field(1, max(weight, 1)))


@lru_cache(maxsize=4096)
def _port_field(port: int) -> bytes:
    return uint_field(3, port)


def encode_endpoint(endpoint: Endpoint, facts: EndpointFacts, *, weight: int) -> bytes:
    """``LbEndpoint`` of one endpoint."""
    if endpoint.port:
        name = endpoint.address.encode()
        # Host names and addresses are far shorter than 100 bytes, so each length below is a single byte.
        if len(name) < _SHORT:
            socket = b"\x12" + bytes((len(name),)) + name + _port_field(endpoint.port)
            size = len(socket)
            head = bytes((0x0A, size + 4, 0x0A, size + 2, 0x0A, size)) + socket
            return head + _tail(facts, endpoint.health, weight)
        address = bytes_field(1, bytes_field(2, name) + _port_field(endpoint.port))
    else:
        address = bytes_field(2, bytes_field(1, endpoint.address.encode()))  # Pipe.path
    return bytes_field(1, bytes_field(1, address)) + _tail(facts, endpoint.health, weight)
