"""One endpoint as ``LbEndpoint`` bytes, written field by field.

Endpoints are the most numerous thing in a mesh and differ in little but the address. Building each as a message costs
ten times as much as putting an address between bytes that are ready; a test decodes them with the generated classes.

Spec: https://www.envoyproxy.io/docs/envoy/latest/api-v3/config/endpoint/v3/endpoint_components.proto
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from discovery.registry.endpoint import Endpoint
from discovery.translate.metadata import struct
from discovery.wire.envoy import Metadata, serialize
from discovery.wire.labels import CANONICAL_NAME, CANONICAL_REVISION
from discovery.wire.protowire import bytes_field, uint_field

__all__ = ["EndpointEncoder", "EndpointFacts", "endpoint_encoder", "endpoint_facts"]


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


class EndpointEncoder:
    """Encodes endpoints that differ in nothing but their addresses.

    All lengths that enclose an address follow from its own, so for each length the bytes before it are made once.
    """

    def __init__(self, facts: EndpointFacts, *, port: int, health: int, weight: int) -> None:
        self._is_path = not port
        metadata = _metadata_field(facts)
        self._tail = uint_field(2, health) + metadata + bytes_field(4, uint_field(1, max(weight, 1)))
        self._port = uint_field(3, port)
        self._after = self._port + self._tail
        self._before: dict[int, bytes] = {}

    def field(self, address: str) -> bytes:
        """One of ``LocalityLbEndpoints.lb_endpoints``, tag and length included; with port 0 the address is a path."""
        name = address.encode()
        before = self._before.get(len(name))
        if before is None:
            before = self._before[len(name)] = self._until(len(name))
        return before + name + self._after

    def field_of_all(self, address: str, additional: tuple[str, ...]) -> bytes:
        """The same of an endpoint with several addresses, of which Envoy takes the first that answers (RFC 8305)."""

        def at(ip: str) -> bytes:  # Address.socket_address
            return bytes_field(1, bytes_field(1, bytes_field(2, ip.encode()) + self._port))

        endpoint = at(address) + b"".join(bytes_field(4, at(ip)) for ip in additional)
        return bytes_field(2, bytes_field(1, endpoint) + self._tail)

    def _until(self, size: int) -> bytes:
        """All that comes before an address of that size."""
        after = len(self._after)
        if self._is_path:
            address = bytes_field(2, bytes_field(1, bytes(size)))  # Pipe.path
        else:
            port = self._after[: after - len(self._tail)]
            address = bytes_field(1, bytes_field(2, bytes(size)) + port)  # SocketAddress
        whole = bytes_field(2, bytes_field(1, bytes_field(1, address)) + self._tail)
        return whole[: len(whole) - size - after]


@lru_cache(maxsize=4096)  # most endpoints of a mesh are like those of many other services
def endpoint_encoder(facts: EndpointFacts, port: int, health: int, weight: int) -> EndpointEncoder:
    """The encoder of endpoints with these properties."""
    return EndpointEncoder(facts, port=port, health=health, weight=weight)
