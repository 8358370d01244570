"""DestinationRules: hosts and subsets that are there, and servers whose certificates are verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from discovery.schema.destination_rule import ClientTLSMode, ClientTLSSettings, DestinationRule
from discovery.validation.analyze.hosts import KnownHosts
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import Workload, World, fqdn, selects
from discovery.validation.load_balancer import TOPOLOGY_LABELS

__all__ = ["authorities", "subsets"]

_VERIFIABLE = (ClientTLSMode.SIMPLE, ClientTLSMode.MUTUAL)


def authorities(world: World) -> Iterator[Message]:
    """Where TLS is spoken with a server outside the mesh, its certificate is checked against an authority."""
    for rule in world.of("DestinationRule"):
        spec: DestinationRule = rule.spec
        policy = spec.traffic_policy
        if policy is None:
            continue
        hint = "name the authority in caCertificates"
        if _unverified(policy.tls, spec):
            text = f"TLS to {spec.host} checks no certificate"
            yield about(Code.NO_SERVER_CERTIFICATE_VERIFICATION_DESTINATION_LEVEL, rule, text, hint)
        for port in policy.port_level_settings:
            if _unverified(port.tls, spec):
                number = port.port.number if port.port is not None else 0
                text = f"TLS to port {number} of {spec.host} checks no certificate"
                yield about(Code.NO_SERVER_CERTIFICATE_VERIFICATION_PORT_LEVEL, rule, text, hint)


def _unverified(tls: ClientTLSSettings | None, spec: DestinationRule) -> bool:
    if tls is None or tls.mode not in _VERIFIABLE or tls.ca_certificates:
        return False
    # Sidecars read a credential only where the rule is for chosen workloads; gateways always.
    return not tls.credential_name or spec.workload_selector is None


def subsets(world: World) -> Iterator[Message]:
    """A rule's host is a service, and each of its subsets has pods."""
    known = KnownHosts(world)
    for rule in world.of("DestinationRule"):
        spec: DestinationRule = rule.spec
        if not spec.host or spec.host.startswith("*"):
            continue
        found = known.find(fqdn(spec.host, rule.namespace, world.domain))
        if found is None:
            text = f"no service has the host {spec.host!r}"
            yield about(Code.UNKNOWN_DESTINATION_RULE_HOST, rule, text, "correct the name, or create the service")
        elif found.resource.kind == "Service":
            yield from _empty_subsets(world, rule, found.resource)


def _empty_subsets(world: World, rule: Resource, service: Resource) -> Iterator[Message]:
    selector = service.spec.spec.selector
    if not selector:
        return
    pods = [pod for pod in world.workloads(service.namespace) if selects(selector, pod.labels)]
    for subset in rule.spec.subsets:
        if not any(selects(subset.labels, _labels(world, pod)) for pod in pods):
            wanted = ",".join(f"{key}={value}" for key, value in sorted(subset.labels.items()))
            text = f"subset {subset.name!r} has no endpoints: none of {service.full_name} has {wanted}"
            hint = "requests to it get 503"
            yield about(Code.DESTINATION_RULE_SUBSET_NOT_SELECT_PODS, rule, text, hint)


def _labels(world: World, pod: Workload) -> Mapping[str, str]:
    """The pod's labels, and those of its node that tell where it is."""
    node = world.find("Node", "", pod.spec.node_name)
    if node is None:
        return pod.labels
    return {**{key: node.labels[key] for key in TOPOLOGY_LABELS if key in node.labels}, **pod.labels}
