"""Which apiVersion and kind is read into which struct. A new kind begins here and in ``meta.Kind``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from discovery.schema import kubernetes
from discovery.schema.authorization_policy import AuthorizationPolicy
from discovery.schema.destination_rule import DestinationRule
from discovery.schema.envoy_filter import EnvoyFilter
from discovery.schema.gateway import Gateway
from discovery.schema.gateway_api.gateway import GatewayClass, KubernetesGateway, ListenerSet
from discovery.schema.gateway_api.grpc_route import GRPCRoute
from discovery.schema.gateway_api.http_route import HTTPRoute
from discovery.schema.gateway_api.policies import BackendTLSPolicy, ReferenceGrant
from discovery.schema.gateway_api.references import GROUP
from discovery.schema.gateway_api.routes import TCPRoute, TLSRoute
from discovery.schema.meta import Kind
from discovery.schema.peer_authentication import PeerAuthentication
from discovery.schema.request_authentication import RequestAuthentication
from discovery.schema.service_entry import ServiceEntry
from discovery.schema.sidecar import Sidecar
from discovery.schema.telemetry import Telemetry
from discovery.schema.traffic_extension import TrafficExtension
from discovery.schema.virtual_service import VirtualService
from discovery.schema.wasm_plugin import WasmPlugin
from discovery.schema.workload_entry import WorkloadEntry
from discovery.schema.workload_group import WorkloadGroup
from discovery.schema.workload_proxy_config import WorkloadProxyConfig

__all__ = ["GATEWAY_API", "KINDS", "KindInfo", "find_kind", "is_mesh_group"]

_NETWORKING: Final = ("networking.istio.io", ("v1", "v1beta1", "v1alpha3"))
_ENVOY_FILTER: Final = ("networking.istio.io", ("v1alpha3",))
_PROXY_CONFIG: Final = ("networking.istio.io", ("v1beta1",))
_EXTENSIONS: Final = ("extensions.istio.io", ("v1alpha1",))
_SECURITY: Final = ("security.istio.io", ("v1", "v1beta1"))
_TELEMETRY: Final = ("telemetry.istio.io", ("v1", "v1alpha1"))
_CORE: Final = ("", ("v1",))
_DISCOVERY: Final = ("discovery.k8s.io", ("v1", "v1beta1"))
_EXPERIMENTAL_GATEWAY_API: Final = "gateway.networking.x-k8s.io"


class KindInfo(msgspec.Struct, frozen=True, kw_only=True):
    """How objects of a kind are written."""

    kind: Kind
    name: str  # as manifests write it
    group: str
    versions: tuple[str, ...]  # the best one first
    struct: type[msgspec.Struct]
    namespaced: bool = True
    whole: bool = False  # the struct is the whole object (Kubernetes' own kinds), not only its ``spec``
    translated: bool = True  # it has an effect; without, it is read, validated and shown, but no proxy hears of it

    @property
    def api_version(self) -> str:
        """The best apiVersion."""
        return f"{self.group}/{self.versions[0]}" if self.group else self.versions[0]

    @property
    def is_gateway_api(self) -> bool:
        """Whether the kind is the Gateway API's: its definition, its rules and the form of its status are not ours."""
        return self.group == GROUP


def _istio(
    kind: Kind, api: tuple[str, tuple[str, ...]], struct: type[msgspec.Struct], *, translated: bool = True
) -> KindInfo:
    return KindInfo(kind=kind, name=str(kind), group=api[0], versions=api[1], struct=struct, translated=translated)


def _kubernetes(kind: Kind, api: tuple[str, tuple[str, ...]], struct: type[msgspec.Struct]) -> KindInfo:
    namespaced = kind not in (Kind.NODE, Kind.NAMESPACE)
    return KindInfo(
        kind=kind, name=str(kind), group=api[0], versions=api[1], struct=struct, namespaced=namespaced, whole=True
    )


def _gateway_api(kind: Kind, struct: type[msgspec.Struct], *versions: str) -> KindInfo:
    return KindInfo(
        kind=kind,
        name="Gateway" if kind is Kind.KUBERNETES_GATEWAY else str(kind),
        group=GROUP,
        versions=versions,
        struct=struct,
        namespaced=kind is not Kind.GATEWAY_CLASS,
        translated=False,
    )


KINDS: Final[Mapping[Kind, KindInfo]] = {
    info.kind: info
    for info in (
        _kubernetes(Kind.SERVICE, _CORE, kubernetes.Service),
        _kubernetes(Kind.POD, _CORE, kubernetes.Pod),
        _kubernetes(Kind.NODE, _CORE, kubernetes.Node),
        _kubernetes(Kind.NAMESPACE, _CORE, kubernetes.Namespace),
        _kubernetes(Kind.ENDPOINT_SLICE, _DISCOVERY, kubernetes.EndpointSlice),
        _istio(Kind.SERVICE_ENTRY, _NETWORKING, ServiceEntry),
        _istio(Kind.WORKLOAD_ENTRY, _NETWORKING, WorkloadEntry),
        _istio(Kind.WORKLOAD_GROUP, _NETWORKING, WorkloadGroup),
        _istio(Kind.VIRTUAL_SERVICE, _NETWORKING, VirtualService),
        _istio(Kind.DESTINATION_RULE, _NETWORKING, DestinationRule),
        _istio(Kind.SIDECAR, _NETWORKING, Sidecar),
        _istio(Kind.GATEWAY, _NETWORKING, Gateway, translated=False),
        _istio(Kind.ENVOY_FILTER, _ENVOY_FILTER, EnvoyFilter, translated=False),
        _istio(Kind.PROXY_CONFIG, _PROXY_CONFIG, WorkloadProxyConfig),
        _istio(Kind.PEER_AUTHENTICATION, _SECURITY, PeerAuthentication),
        _istio(Kind.AUTHORIZATION_POLICY, _SECURITY, AuthorizationPolicy, translated=False),
        _istio(Kind.REQUEST_AUTHENTICATION, _SECURITY, RequestAuthentication, translated=False),
        _istio(Kind.TELEMETRY, _TELEMETRY, Telemetry),
        _istio(Kind.WASM_PLUGIN, _EXTENSIONS, WasmPlugin, translated=False),
        _istio(Kind.TRAFFIC_EXTENSION, _EXTENSIONS, TrafficExtension, translated=False),
        _gateway_api(Kind.GATEWAY_CLASS, GatewayClass, "v1", "v1beta1"),
        _gateway_api(Kind.KUBERNETES_GATEWAY, KubernetesGateway, "v1", "v1beta1"),
        _gateway_api(Kind.LISTENER_SET, ListenerSet, "v1"),
        _gateway_api(Kind.HTTP_ROUTE, HTTPRoute, "v1", "v1beta1"),
        _gateway_api(Kind.GRPC_ROUTE, GRPCRoute, "v1", "v1alpha2"),
        _gateway_api(Kind.TCP_ROUTE, TCPRoute, "v1", "v1alpha2"),
        _gateway_api(Kind.TLS_ROUTE, TLSRoute, "v1", "v1alpha3", "v1alpha2"),
        _gateway_api(Kind.REFERENCE_GRANT, ReferenceGrant, "v1", "v1beta1"),
        _gateway_api(Kind.BACKEND_TLS_POLICY, BackendTLSPolicy, "v1", "v1alpha3"),
    )
}

GATEWAY_API: Final = frozenset(kind for kind, info in KINDS.items() if info.is_gateway_api)

_BY_NAME: Final = {(info.group, info.name): info for info in KINDS.values()}


def find_kind(group: str, kind: str) -> KindInfo | None:
    """The kind of that group, by its name in manifests; None when we do not serve it."""
    return _BY_NAME.get((group, kind))


def is_mesh_group(group: str) -> bool:
    """Whether objects of the group are meant for a mesh, so that ignoring one is worth telling."""
    return group.endswith(".istio.io") or group in (GROUP, _EXPERIMENTAL_GATEWAY_API)
