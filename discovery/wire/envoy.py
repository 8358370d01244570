"""The one door to the generated Envoy classes (``xds-protos``, upb in C).

Only here does untyped generated code enter; everything above sees these names. Messages are built with nested keyword
dictionaries and serialised at once with ``serialize``; they never travel as values: they are mutable and unhashable.
"""

from __future__ import annotations

from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.core.v3.base_pb2 import Metadata, Node, TransportSocket
from envoy.config.core.v3.config_source_pb2 import ConfigSource
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.endpoint.v3.endpoint_components_pb2 import LbEndpoint, LocalityLbEndpoints
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_components_pb2 import Filter, FilterChain
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_components_pb2 import Route, RouteAction, VirtualHost
from envoy.config.route.v3.route_pb2 import RouteConfiguration
from envoy.config.trace.v3.opentelemetry_pb2 import OpenTelemetryConfig
from envoy.config.trace.v3.zipkin_pb2 import ZipkinConfig
from envoy.extensions.access_loggers.file.v3.file_pb2 import FileAccessLog
from envoy.extensions.access_loggers.filters.cel.v3.cel_pb2 import ExpressionFilter as CelFilter
from envoy.extensions.clusters.dns.v3.dns_cluster_pb2 import DnsCluster
from envoy.extensions.clusters.dynamic_forward_proxy.v3.cluster_pb2 import ClusterConfig as DynamicForwardCluster
from envoy.extensions.filters.http.cors.v3.cors_pb2 import Cors
from envoy.extensions.filters.http.cors.v3.cors_pb2 import CorsPolicy as RouteCorsPolicy
from envoy.extensions.filters.http.dynamic_forward_proxy.v3.dynamic_forward_proxy_pb2 import (
    FilterConfig as DynamicForwardProxy,
)
from envoy.extensions.filters.http.fault.v3.fault_pb2 import HTTPFault
from envoy.extensions.filters.http.grpc_stats.v3.config_pb2 import FilterConfig as GrpcStats
from envoy.extensions.filters.http.grpc_web.v3.grpc_web_pb2 import GrpcWeb
from envoy.extensions.filters.http.router.v3.router_pb2 import Router
from envoy.extensions.filters.listener.http_inspector.v3.http_inspector_pb2 import HttpInspector
from envoy.extensions.filters.listener.original_dst.v3.original_dst_pb2 import OriginalDst
from envoy.extensions.filters.listener.original_src.v3.original_src_pb2 import OriginalSrc
from envoy.extensions.filters.listener.tls_inspector.v3.tls_inspector_pb2 import TlsInspector
from envoy.extensions.filters.network.http_connection_manager.v3.http_connection_manager_pb2 import (
    HttpConnectionManager,
)
from envoy.extensions.filters.network.mongo_proxy.v3.mongo_proxy_pb2 import MongoProxy
from envoy.extensions.filters.network.tcp_proxy.v3.tcp_proxy_pb2 import TcpProxy
from envoy.extensions.network.dns_resolver.cares.v3.cares_dns_resolver_pb2 import CaresDnsResolverConfig
from envoy.extensions.request_id.uuid.v3.uuid_pb2 import UuidRequestIdConfig
from envoy.extensions.retry.host.previous_hosts.v3.previous_hosts_pb2 import PreviousHostsPredicate
from envoy.extensions.retry.priority.previous_priorities.v3.previous_priorities_config_pb2 import (
    PreviousPrioritiesConfig,
)
from envoy.extensions.tracers.opentelemetry.resource_detectors.v3.environment_resource_detector_pb2 import (
    EnvironmentResourceDetectorConfig as EnvironmentResource,
)
from envoy.extensions.transport_sockets.raw_buffer.v3.raw_buffer_pb2 import RawBuffer
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.transport_sockets.tls.v3.tls_pb2 import DownstreamTlsContext, UpstreamTlsContext
from envoy.extensions.upstreams.http.v3.http_protocol_options_pb2 import HttpProtocolOptions
from envoy.service.discovery.v3.discovery_pb2 import (
    DeltaDiscoveryRequest,
    DeltaDiscoveryResponse,
    DiscoveryRequest,
    DiscoveryResponse,
    Resource,
)
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from udpa.type.v1.typed_struct_pb2 import TypedStruct

__all__ = [
    "AnyMessage",
    "CaresDnsResolverConfig",
    "CelFilter",
    "Cluster",
    "ClusterLoadAssignment",
    "ConfigSource",
    "Cors",
    "DeltaDiscoveryRequest",
    "DeltaDiscoveryResponse",
    "DiscoveryRequest",
    "DiscoveryResponse",
    "DnsCluster",
    "DownstreamTlsContext",
    "DynamicForwardCluster",
    "DynamicForwardProxy",
    "EnvironmentResource",
    "FileAccessLog",
    "Filter",
    "FilterChain",
    "GrpcStats",
    "GrpcWeb",
    "HTTPFault",
    "HttpConnectionManager",
    "HttpInspector",
    "HttpProtocolOptions",
    "LbEndpoint",
    "ListValue",
    "Listener",
    "LocalityLbEndpoints",
    "Message",
    "Metadata",
    "MongoProxy",
    "Node",
    "OpenTelemetryConfig",
    "OriginalDst",
    "OriginalSrc",
    "PreviousHostsPredicate",
    "PreviousPrioritiesConfig",
    "RawBuffer",
    "Resource",
    "Route",
    "RouteAction",
    "RouteConfiguration",
    "RouteCorsPolicy",
    "Router",
    "Secret",
    "Struct",
    "TcpProxy",
    "TlsInspector",
    "TransportSocket",
    "TypedExtensionConfig",
    "TypedStruct",
    "UpstreamTlsContext",
    "UuidRequestIdConfig",
    "Value",
    "VirtualHost",
    "ZipkinConfig",
    "pack",
    "serialize",
]


def serialize(message: Message) -> bytes:
    """The message's bytes, the same for equal messages (map entries sorted)."""
    return message.SerializeToString(deterministic=True)


def pack(message: Message) -> dict[str, Any]:
    """The keyword form of ``google.protobuf.Any`` around a message, for nesting in other constructors."""
    return {"type_url": "type.googleapis.com/" + message.DESCRIPTOR.full_name, "value": serialize(message)}
