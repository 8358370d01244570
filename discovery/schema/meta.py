"""What every configuration object has: its kind and key, its metadata, and where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

__all__ = ["EPOCH", "Kind", "Object", "ObjectKey", "ObjectMeta", "Origin", "OwnerReference", "age_order"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Kind(StrEnum):
    """The kinds we know. The value is the short name used in keys, messages and metrics.

    It is the kind as manifests write it, but for KubernetesGateway, which the Gateway API calls Gateway too.
    """

    SERVICE = "Service"
    ENDPOINT_SLICE = "EndpointSlice"
    POD = "Pod"
    NODE = "Node"
    NAMESPACE = "Namespace"
    SERVICE_ENTRY = "ServiceEntry"
    WORKLOAD_ENTRY = "WorkloadEntry"
    WORKLOAD_GROUP = "WorkloadGroup"
    VIRTUAL_SERVICE = "VirtualService"
    DESTINATION_RULE = "DestinationRule"
    SIDECAR = "Sidecar"
    GATEWAY = "Gateway"
    ENVOY_FILTER = "EnvoyFilter"
    PROXY_CONFIG = "ProxyConfig"
    PEER_AUTHENTICATION = "PeerAuthentication"
    AUTHORIZATION_POLICY = "AuthorizationPolicy"
    REQUEST_AUTHENTICATION = "RequestAuthentication"
    TELEMETRY = "Telemetry"
    WASM_PLUGIN = "WasmPlugin"
    TRAFFIC_EXTENSION = "TrafficExtension"
    GATEWAY_CLASS = "GatewayClass"
    KUBERNETES_GATEWAY = "KubernetesGateway"
    LISTENER_SET = "ListenerSet"
    HTTP_ROUTE = "HTTPRoute"
    GRPC_ROUTE = "GRPCRoute"
    TCP_ROUTE = "TCPRoute"
    TLS_ROUTE = "TLSRoute"
    REFERENCE_GRANT = "ReferenceGrant"
    BACKEND_TLS_POLICY = "BackendTLSPolicy"


class ObjectKey(NamedTuple):
    """The identity of an object; cluster-scoped kinds have an empty namespace."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Origin(msgspec.Struct, frozen=True):
    """Where an object was read: a file and line, or a cluster and its UID there."""

    source: str = ""
    path: str = ""
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.path else self.source


class OwnerReference(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """The object that created another."""

    kind: str = ""
    name: str = ""
    controller: bool = False


class ObjectMeta(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``metadata`` of an object, as far as we use it."""

    name: str = ""
    namespace: str = ""
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    creation_timestamp: datetime = EPOCH
    resource_version: str = ""
    uid: str = ""
    generation: int = 0
    deletion_timestamp: datetime | None = None
    owner_references: tuple[OwnerReference, ...] = ()


class Object(msgspec.Struct, frozen=True, kw_only=True):
    """A typed object: the spec is the frozen struct of its kind (Kubernetes kinds without ``spec`` hold themselves)."""

    key: ObjectKey
    meta: ObjectMeta
    spec: Any
    origin: Origin = Origin()
    raw: Mapping[str, Any] = {}  # as written, for the debug endpoints
    conditions: Mapping[str, bool] = {}  # of its status, those that configuration depends on: type -> whether it holds

    @property
    def name(self) -> str:
        """Name within the namespace."""
        return self.key.name

    @property
    def namespace(self) -> str:
        """Namespace, empty for cluster-scoped kinds."""
        return self.key.namespace


def age_order(obj: Object) -> tuple[datetime, str, str]:
    """Sort key that settles conflicts: the oldest wins, then by name and namespace."""
    return obj.meta.creation_timestamp, obj.key.name, obj.key.namespace
