"""GatewayClass, Gateway and ListenerSet: who serves at the mesh's edge, and which ports, hosts and certificates.

Spec: https://gateway-api.sigs.k8s.io/reference/spec/#gateway
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from discovery.schema.gateway_api.references import (
    GROUP,
    LocalObjectReference,
    ObjectReference,
    ParametersReference,
    ParentGateway,
    SecretObjectReference,
)
from discovery.schema.mesh_config import LabelSelector
from discovery.schema.message import Message, NonEmpty, PortNumber

__all__ = [
    "AllowedListeners",
    "AllowedRoutes",
    "BackendTLS",
    "FrontendTLS",
    "FrontendValidation",
    "GatewayAddress",
    "GatewayClass",
    "GatewayInfrastructure",
    "GatewayTLS",
    "KubernetesGateway",
    "Listener",
    "ListenerNamespaces",
    "ListenerSet",
    "ListenerTLS",
    "PortTLS",
    "RouteGroupKind",
    "RouteNamespaces",
    "TLSConfig",
]


class GatewayClass(Message, frozen=True, kw_only=True):
    """Gateways that one controller looks after, such as ``istio.io/gateway-controller``; cluster-scoped."""

    required = ("controller_name",)

    controller_name: NonEmpty = ""
    parameters_ref: ParametersReference | None = None
    description: str = ""


class FrontendValidation(Message, frozen=True, kw_only=True):
    """How clients' certificates are checked.

    ``mode`` is AllowValidOnly, or AllowInsecureFallback, which lets in those without a good one too.
    """

    required = ("ca_certificate_refs",)

    ca_certificate_refs: tuple[ObjectReference, ...] = ()
    mode: str = "AllowValidOnly"


class ListenerTLS(Message, frozen=True, kw_only=True):
    """TLS of a listener: ``mode`` is Terminate, with certificates, or Passthrough."""

    mode: str = "Terminate"
    certificate_refs: tuple[SecretObjectReference, ...] = ()
    options: Mapping[str, str] = {}
    frontend_validation: FrontendValidation | None = None  # of definitions before 1.4; later ones have ``spec.tls``


class RouteNamespaces(Message, frozen=True, kw_only=True):
    """From which namespaces routes may attach: All, Same, or those of a Selector."""

    from_: str = msgspec.field(name="from", default="Same")
    selector: LabelSelector | None = None


class RouteGroupKind(Message, frozen=True, kw_only=True):
    """A kind of route."""

    required = ("kind",)

    group: str = GROUP
    kind: NonEmpty = ""


class AllowedRoutes(Message, frozen=True, kw_only=True):
    """Which routes may attach; no kinds: those that fit the listener's protocol."""

    namespaces: RouteNamespaces = RouteNamespaces()
    kinds: tuple[RouteGroupKind, ...] = ()


class Listener(Message, frozen=True, kw_only=True):
    """A port with a protocol: HTTP, HTTPS, TLS, TCP, UDP, or one with a domain before it; no hostname: every one."""

    required = ("name", "port", "protocol")

    name: NonEmpty = ""
    hostname: str = ""
    port: PortNumber = 0
    protocol: NonEmpty = ""
    tls: ListenerTLS | None = None
    allowed_routes: AllowedRoutes = AllowedRoutes()


class GatewayAddress(Message, frozen=True, kw_only=True):
    """An address asked for: IPAddress, Hostname, or a type with a domain before it; no value: any."""

    type: NonEmpty = "IPAddress"
    value: str = ""


class GatewayInfrastructure(Message, frozen=True, kw_only=True):
    """Labels and annotations of what is made for a Gateway, and where its settings are."""

    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    parameters_ref: LocalObjectReference | None = None


class ListenerNamespaces(Message, frozen=True, kw_only=True):
    """From which namespaces ListenerSets may attach: None, All, Same, or those of a Selector."""

    from_: str = msgspec.field(name="from", default="None")
    selector: LabelSelector | None = None


class AllowedListeners(Message, frozen=True, kw_only=True):
    """Which ListenerSets may attach."""

    namespaces: ListenerNamespaces = ListenerNamespaces()


class TLSConfig(Message, frozen=True, kw_only=True):
    """What clients' connections have in common."""

    validation: FrontendValidation | None = None


class PortTLS(Message, frozen=True, kw_only=True):
    """TLS of the listeners of a port, instead of the default."""

    required = ("port", "tls")

    port: PortNumber = 0
    tls: TLSConfig = TLSConfig()


class FrontendTLS(Message, frozen=True, kw_only=True):
    """TLS towards clients, of all listeners of a Gateway."""

    required = ("default",)

    default: TLSConfig = TLSConfig()
    per_port: tuple[PortTLS, ...] = ()


class BackendTLS(Message, frozen=True, kw_only=True):
    """The certificate that a Gateway shows to backends."""

    client_certificate_ref: SecretObjectReference | None = None


class GatewayTLS(Message, frozen=True, kw_only=True):
    """TLS of a whole Gateway."""

    backend: BackendTLS | None = None
    frontend: FrontendTLS | None = None


class KubernetesGateway(Message, frozen=True, kw_only=True):
    """A Gateway of the Gateway API; Istio's kind of that name is another one.

    ``default_scope`` All claims routes with that scope in ``useDefaultGateways``.
    """

    required = ("gateway_class_name",)

    gateway_class_name: NonEmpty = ""
    listeners: tuple[Listener, ...] = ()
    addresses: tuple[GatewayAddress, ...] = ()
    infrastructure: GatewayInfrastructure | None = None
    allowed_listeners: AllowedListeners | None = None
    tls: GatewayTLS | None = None
    default_scope: str = ""


class ListenerSet(Message, frozen=True, kw_only=True):
    """Further listeners of a Gateway that allows it, written by somebody else, perhaps in another namespace."""

    required = ("parent_ref", "listeners")

    parent_ref: ParentGateway = ParentGateway()
    listeners: tuple[Listener, ...] = ()
