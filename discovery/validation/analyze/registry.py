"""The analyzers by the field's names, and running them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from discovery.validation.analyze import (
    destination_rules,
    envoy_filters,
    gateways,
    injection,
    known_annotations,
    mesh,
    selectors,
    service_entries,
    virtual_services,
    webhooks,
    workloads,
)
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource
from discovery.validation.analyze.world import World

__all__ = ["ANALYZERS", "Suppression", "analyze", "parse_suppression"]

Analyzer = Callable[[World], Iterator[Message]]

ANALYZERS: Final[Mapping[str, Analyzer]] = {
    "annotations.K8sAnalyzer": known_annotations.misused_annotations,
    "authn.BlockedCIDRsAnalyzer": mesh.key_set_fetches,
    "authz.AuthorizationPoliciesAnalyzer": selectors.authorization_policies,
    "conditions.ConditionAnalyzer": mesh.conditions,
    "deployment.ApplicationUIDAnalyzer": workloads.user_ids,
    "deployment.ServiceAssociationAnalyzer": workloads.service_associations,
    "deprecation.FieldAnalyzer": mesh.old_fields,
    "destinationrule.CaCertificateAnalyzer": destination_rules.authorities,
    "destinationrule.PodNotSelectedAnalyzer": destination_rules.subsets,
    "envoyfilter.EnvoyPatchAnalyzer": envoy_filters.patches,
    "externalcontrolplane.ExternalControlPlaneAnalyzer": webhooks.external_control_planes,
    "gateway.CertificateAnalyzer": gateways.certificates,
    "gateway.ConflictingGatewayAnalyzer": gateways.conflicts,
    "gateway.IngressGatewayPortAnalyzer": gateways.ports,
    "gateway.SecretAnalyzer": gateways.secrets,
    "injection.Analyzer": injection.injected_namespaces,
    "injection.ImageAnalyzer": injection.proxy_images,
    "injection.ImageAutoAnalyzer": injection.proxy_image_auto,
    "k8sgateway.SelectorAnalyzer": selectors.gateway_selectors,
    "multicluster.MeshNetworksAnalyzer": mesh.networks,
    "multicluster.ServiceAnalyzer": mesh.services_across_clusters,
    "service.PortNameAnalyzer": workloads.port_names,
    "serviceentry.ConflictingServiceEntryProtocolAnalyzer": service_entries.protocols,
    "serviceentry.ProtocolAddressesAnalyzer": service_entries.addresses,
    "sidecar.DefaultSelectorAnalyzer": selectors.sidecar_defaults,
    "sidecar.SelectorAnalyzer": selectors.sidecar_selectors,
    "telemetry.DefaultSelectorAnalyzer": selectors.telemetry_defaults,
    "telemetry.ProdiverAnalyzer": selectors.telemetry_providers,
    "telemetry.SelectorAnalyzer": selectors.telemetry_selectors,
    "virtualservice.ConflictingMeshGatewayHostsAnalyzer": virtual_services.conflicting_hosts,
    "virtualservice.DestinationHostAnalyzer": virtual_services.destination_hosts,
    "virtualservice.DestinationRuleAnalyzer": virtual_services.destination_subsets,
    "virtualservice.GatewayAnalyzer": virtual_services.gateways,
    "virtualservice.JWTClaimRouteAnalyzer": virtual_services.jwt_claim_routes,
    "webhook.Analyzer": webhooks.injectors,
}
"""By name, in the field's spelling."""

_SUPPRESS: Final = "galley.istio.io/analyze-suppress"


class Suppression(NamedTuple):
    """Messages not to tell: a code, and objects by pattern (``DestinationRule primary-*.shop``)."""

    code: str
    pattern: str

    def covers(self, message: Message) -> bool:
        """Whether the message is one of them."""
        kind, _, name = message.resource.partition(" ")
        namespace, slash, own = name.rpartition("/")
        told = f"{kind} {own}.{namespace}" if slash else f"{kind} {own}"
        return message.code == self.code and fnmatch.fnmatchcase(told, self.pattern)


def parse_suppression(text: str) -> Suppression:
    """``CODE=KIND NAME.NAMESPACE``, with wildcards.

    Raises:
        ValueError: it is not of that form.
    """
    code, equals, pattern = text.partition("=")
    if not equals or not pattern:
        raise ValueError(f'want CODE=OBJECT such as "IST0102=Namespace shop", got {text!r}')
    if code not in list(Code):
        raise ValueError(f"there is no message code {code!r}")
    return Suppression(code, pattern)


def analyze(
    world: World, *, names: Iterable[str] | None = None, suppressed: Iterable[Suppression] = ()
) -> list[Message]:
    """The messages of all analyzers, or of the named ones, worst first, then by object."""
    chosen = ANALYZERS if names is None else {name: ANALYZERS[name] for name in names}
    silenced = tuple(suppressed)
    own = {str(resource): _own_suppressions(resource) for resource in world.all()}
    found = [
        message
        for analyzer in chosen.values()
        for message in analyzer(world)
        if not any(suppression.covers(message) for suppression in silenced)
        and not own.get(message.resource, frozenset()) & {"*", str(message.code)}
    ]
    return sorted(found, key=lambda message: (-message.severity, message.resource, message.code))


def _own_suppressions(resource: Resource) -> frozenset[str]:
    """Codes that the object's owner does not want to hear of."""
    return frozenset(part.strip() for part in resource.annotations.get(_SUPPRESS, "").split(",") if part.strip())
