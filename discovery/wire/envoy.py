"""The one door to the generated Envoy classes (``xds-protos``, upb in C).

Only here does untyped generated code enter; everything above sees these names. Messages are built with nested keyword
dictionaries and serialised at once with ``serialize``; they never travel as values: they are mutable and unhashable.
"""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Node
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Resource,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message

__all__ = [
    "AnyMessage",
    "Cluster",
    "ClusterLoadAssignment",
    "DeltaDiscoveryRequest",
    "DeltaDiscoveryResponse",
    "DiscoveryRequest",
    "DiscoveryResponse",
    "DownstreamTlsContext",
    "Filter",
    "FilterChain",
    "LbEndpoint",
    "Listener",
    "LocalityLbEndpoints",
    "Message",
    "Node",
    "Resource",
    "Route",
    "RouteConfiguration",
    "Secret",
    "TypedExtensionConfig",
    "UpstreamTlsContext",
    "VirtualHost",
    "pack",
    "serialize",
]


def serialize(message: Message) -> bytes:
    """The message's bytes, the same for equal messages (map entries sorted)."""
    return message.SerializeToString(deterministic=True)


def pack(message: Message) -> dict[str, Any]:
    """The keyword form of ``google.protobuf.Any`` around a message, for nesting in other constructors."""
    return {"type_url": "type.googleapis.com/" + message.DESCRIPTOR.full_name, "value": serialize(message)}
