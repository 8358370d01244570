"""The mesh as a whole: networks and clusters, key sets fetched from anywhere, old fields, rules and conditions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from discovery.schema.findings import Finding, Severity
from discovery.schema.gateway_api.references import GROUP as GATEWAY_API_GROUP
from discovery.schema.meta import Origin
from discovery.validation.analyze.message import Code, Level, Message
from discovery.validation.analyze.resource import Resource, about
from discovery.validation.analyze.world import World

__all__ = ["conditions", "key_set_fetches", "networks", "old_fields", "schema_messages", "services_across_clusters"]

_KUBERNETES: Final = "Kubernetes"  # the registry of the control plane's own cluster
_REMOTE_SECRET: Final = "istio/multiCluster"  # noqa: S105 - the name of a label
_BLOCKED: Final = "BLOCKED_CIDRS_IN_JWKS_URIS"


def networks(world: World) -> Iterator[Message]:
    """Networks are made of registries that the control plane reads."""
    known = {_KUBERNETES}
    for secret in world.of("Secret"):
        if secret.labels.get(_REMOTE_SECRET) == "true":
            known.update((*secret.spec.data, *secret.spec.string_data))
    declared = (world.mesh_networks or {}).get("networks")
    for network, settings in declared.items() if isinstance(declared, dict) else ():
        endpoints = settings.get("endpoints") if isinstance(settings, dict) else None
        for endpoint in endpoints or ():
            registry = endpoint.get("fromRegistry") if isinstance(endpoint, dict) else None
            if registry and registry not in known:
                yield Message(
                    code=Code.UNKNOWN_MESH_NETWORKS_SERVICE_REGISTRY,
                    resource=f"MeshNetworks {world.root_namespace}/meshnetworks",
                    text=f"network {network!r} has endpoints of the registry {registry!r}, which nobody reads",
                    hint=f"known are {', '.join(sorted(known))}",
                    origin=Origin(),
                )


def key_set_fetches(world: World) -> Iterator[Message]:
    """A control plane that fetches key sets for users is told which addresses are none of theirs."""
    policies = world.of("RequestAuthentication")
    if not policies:
        return
    for deployment in world.deployments():
        containers = [c for c in deployment.spec.containers if c.name == "discovery"]
        is_ours = deployment.resource.labels.get("app") == "istiod" and containers
        if is_ours and not any(variable.name == _BLOCKED and variable.value for c in containers for variable in c.env):
            names = ", ".join(policy.full_name for policy in policies[:5])
            text = f"fetches key sets for {len(policies)} RequestAuthentications ({names}) from any address"
            yield about(Code.JWKS_URI_FETCH_UNRESTRICTED, deployment.resource, text, f"set {_BLOCKED}")


def old_fields(world: World) -> Iterator[Message]:
    """Fields that have successors."""
    for resource in world.of("VirtualService"):
        for i, route in enumerate(resource.spec.http):
            delay = route.fault.delay if route.fault is not None else None
            if delay is not None and delay.percent:
                text = f"spec.http[{i}].fault.delay.percent is deprecated"
                yield about(Code.DEPRECATED, resource, text, "use percentage")
            if route.cors_policy is not None and route.cors_policy.allow_origin:
                text = f"spec.http[{i}].corsPolicy.allowOrigin is deprecated"
                yield about(Code.DEPRECATED, resource, text, "use allowOrigins")


def conditions(world: World) -> Iterator[Message]:
    """What controllers wrote into the status of an object is not that it failed."""
    for resource in world.all():
        if not (resource.group.endswith("istio.io") or resource.group == GATEWAY_API_GROUP):
            continue
        status = resource.raw.get("status")
        found = status.get("conditions") if isinstance(status, dict) else None
        for condition in found if isinstance(found, list) else ():
            if isinstance(condition, dict) and condition.get("status") == "False":
                text = f"the condition {condition.get('type')} is False: {condition.get('reason') or 'no reason given'}"
                yield about(Code.NEGATIVE_CONDITION_STATUS, resource, text, str(condition.get("message") or ""))


def services_across_clusters(world: World) -> Iterator[Message]:
    """A Service that several clusters have is the same everywhere."""
    by_name: defaultdict[tuple[str, str], list[Resource]] = defaultdict(list)
    for service in world.of("Service"):
        by_name[service.namespace, service.name].append(service)
    for found in by_name.values():
        clusters = sorted({service.cluster for service in found})
        if len(clusters) < 2:
            continue
        faults = sorted(_differences(found))
        if faults:
            text = f"differs between the clusters {', '.join(clusters)}: {', '.join(faults)}"
            yield about(Code.MULTI_CLUSTER_INCONSISTENT_SERVICE, found[0], text, "make them the same")


def _differences(services: list[Resource]) -> Iterator[str]:
    specs = [service.spec.spec for service in services]
    if len({spec.cluster_ip == "None" for spec in specs}) > 1:
        yield "some are headless"
    if len({spec.type for spec in specs}) > 1:
        yield "their types"
    if len({tuple((port.name, port.port, port.protocol) for port in spec.ports) for spec in specs}) > 1:
        yield "their ports"


def schema_messages(findings: Iterator[Finding]) -> Iterator[Message]:
    """Findings about single objects as messages: what is refused, and what is only odd."""
    for finding in findings:
        error = finding.severity is Severity.ERROR
        code = Code.SCHEMA_VALIDATION_ERROR if error else Code.SCHEMA_WARNING
        text = f"{finding.path}: {finding.problem}" if finding.path else finding.problem
        level = Level.INFO if finding.severity is Severity.INFO else None
        yield Message(
            code=code, resource=finding.object, text=text, hint=finding.hint, level=level, origin=finding.origin
        )
