"""Kubernetes Services in the registry's model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from discovery.registry.facts import spiffe_id
from discovery.registry.protocol import kubernetes_protocol
from discovery.registry.service import Port, Registry, Resolution, Service, ServiceRef
from discovery.schema import kubernetes
from discovery.schema.meta import Object

__all__ = ["kubernetes_host", "service_from_kubernetes"]

_EXPORT_TO: Final = "networking.istio.io/exportTo"
_CANONICAL_ACCOUNTS: Final = "alpha.istio.io/canonical-serviceaccounts"
_KUBERNETES_ACCOUNTS: Final = "alpha.istio.io/kubernetes-serviceaccounts"
_TRAFFIC_DISTRIBUTION: Final = "networking.istio.io/traffic-distribution"
_HEADLESS: Final = "None"
_EXTERNAL_NAME: Final = "ExternalName"


def kubernetes_host(name: str, namespace: str, domain: str) -> str:
    """The fully qualified name of a Service: ``<name>.<namespace>.svc.<domain>``, lower case."""
    return f"{name}.{namespace}.svc.{domain}".lower()


def service_from_kubernetes(
    obj: Object,
    *,
    domain: str,
    trust_domain: str = "cluster.local",
    namespace_annotations: Mapping[str, str] = {},
) -> Service:
    """The service that a ``v1`` Service declares, without its endpoints.

    A Service that no API server gave an address (files) has none: it is reached by name or by its wildcard listener.
    """
    written: kubernetes.Service = obj.spec
    spec = written.spec
    addresses = tuple(ip for ip in spec.cluster_ips or (spec.cluster_ip,) if ip)
    headless = _HEADLESS in addresses
    annotations = obj.meta.annotations
    external_name = spec.external_name.lower().rstrip(".") if spec.type == _EXTERNAL_NAME else ""
    distribution = annotations.get(_TRAFFIC_DISTRIBUTION) or namespace_annotations.get(_TRAFFIC_DISTRIBUTION, "")
    return Service(
        ref=ServiceRef(kubernetes_host(obj.name, obj.namespace, domain), obj.namespace),
        name=obj.name,
        registry=Registry.KUBERNETES,
        source=obj.key,
        ports=tuple(_port(port) for port in spec.ports),
        resolution=_resolution(headless=headless, external=bool(external_name)),
        created_at=obj.meta.creation_timestamp,
        addresses=() if headless else addresses,
        external=bool(external_name),
        export_to=frozenset(_split(annotations.get(_EXPORT_TO, ""))),
        labels=obj.meta.labels,
        selector=spec.selector,
        service_accounts=_accounts(obj, trust_domain),
        alias_of=external_name,
        headless=headless,
        publish_not_ready=spec.publish_not_ready_addresses,
        node_local=spec.internal_traffic_policy == "Local",
        traffic_distribution=_distribution(spec.traffic_distribution or distribution),
    )


def _port(port: kubernetes.ServicePort) -> Port:
    protocol = kubernetes_protocol(
        number=port.port, name=port.name, transport=port.protocol, app_protocol=port.app_protocol
    )
    return Port(name=port.name, number=port.port, protocol=protocol)


def _resolution(*, headless: bool, external: bool) -> Resolution:
    if external:
        return Resolution.ALIAS
    return Resolution.PASSTHROUGH if headless else Resolution.CLIENT_SIDE_LB


def _accounts(obj: Object, trust_domain: str) -> tuple[str, ...]:
    canonical = _split(obj.meta.annotations.get(_CANONICAL_ACCOUNTS, ""))
    own = _split(obj.meta.annotations.get(_KUBERNETES_ACCOUNTS, ""))
    return (*canonical, *(spiffe_id(trust_domain, obj.namespace, account) for account in own))


def _split(text: str) -> tuple[str, ...]:
    return tuple(part for piece in text.split(",") if (part := piece.strip()))


def _distribution(text: str) -> str:
    return "PreferSameZone" if text in ("PreferClose", "PreferSameZone") else text  # the old name and the new one
