"""All objects that are analyzed together, with the questions that analyzers ask of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from discovery.schema.gateway_api.references import GROUP as GATEWAY_API_GROUP
from discovery.schema.mesh_config import MeshConfig
from discovery.validation.analyze.kubernetes import PodSpec
from discovery.validation.analyze.resource import Resource

__all__ = ["SYSTEM_NAMESPACES", "Workload", "World", "fqdn", "matches_host", "selects"]

SYSTEM_NAMESPACES: Final = frozenset(
    {"istio-system", "kube-system", "kube-public", "kube-node-lease", "local-path-storage"}
)


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """A Pod, or the pods that a Deployment makes."""

    resource: Resource
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: PodSpec


class World:
    """Objects by kind, and the mesh that they are in. Unchanging once it is made."""

    def __init__(
        self,
        resources: Iterable[Resource],
        *,
        mesh: MeshConfig = MeshConfig(),  # noqa: B008 - frozen
        mesh_networks: Mapping[str, Any] | None = None,
        domain: str = "cluster.local",
    ) -> None:
        self.mesh = mesh
        self.mesh_networks = mesh_networks
        self.domain = domain
        self._by_kind: defaultdict[tuple[str, str], list[Resource]] = defaultdict(list)
        for resource in resources:
            self._by_kind[resource.kind, "api" if resource.group == GATEWAY_API_GROUP else ""].append(resource)
        self._by_name = {
            (r.kind, r.namespace, r.name): r for (_, api), found in self._by_kind.items() if not api for r in found
        }

    @property
    def root_namespace(self) -> str:
        """The namespace whose policies are the mesh's."""
        return self.mesh.root_namespace

    def of(self, kind: str) -> Sequence[Resource]:
        """The objects of a kind, in order; ``Gateway`` is Istio's."""
        return self._by_kind.get((kind, ""), ())

    def kubernetes_gateways(self) -> Sequence[Resource]:
        """Gateways of the Gateway API."""
        return self._by_kind.get(("Gateway", "api"), ())

    def all(self) -> Iterator[Resource]:
        """Everything."""
        for found in self._by_kind.values():
            yield from found

    def find(self, kind: str, namespace: str, name: str) -> Resource | None:
        """An object by its name."""
        return self._by_name.get((kind, namespace, name))

    def pods(self, namespace: str | None = None) -> Iterator[Workload]:
        """The Pods of a namespace, or of all."""
        for pod in self.of("Pod"):
            if namespace is None or pod.namespace == namespace:
                yield Workload(resource=pod, labels=pod.labels, annotations=pod.annotations, spec=pod.spec.spec)

    def deployments(self) -> Iterator[Workload]:
        """What Deployments run."""
        for found in self.of("Deployment"):
            meta = found.spec.spec.template.metadata
            spec = found.spec.spec.template.spec
            yield Workload(resource=found, labels=meta.labels, annotations=meta.annotations, spec=spec)

    def workloads(self, namespace: str | None = None) -> Iterator[Workload]:
        """All that a selector can mean: Pods, pods of Deployments (files hold seldom more), WorkloadEntries."""
        yield from self.pods(namespace)
        yield from (one for one in self.deployments() if namespace is None or one.resource.namespace == namespace)
        for entry in self.of("WorkloadEntry"):
            if namespace is None or entry.namespace == namespace:
                labels = {**entry.labels, **entry.spec.labels}
                yield Workload(resource=entry, labels=labels, annotations=entry.annotations, spec=PodSpec())

    def selected(self, policy: Resource, selector: Mapping[str, str]) -> list[Workload]:
        """The workloads that a policy is for: of its namespace, of all for those of the root namespace."""
        everywhere = policy.namespace == self.root_namespace
        found = self.workloads(None if everywhere else policy.namespace)
        return [workload for workload in found if selects(selector, workload.labels)]

    def namespace_labels(self, name: str) -> Mapping[str, str]:
        """The labels of a namespace; none if it is not known."""
        found = self.find("Namespace", "", name)
        return found.labels if found is not None else {}


def selects(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether all labels of the selector are there."""
    return all(labels.get(key) == value for key, value in selector.items())


def fqdn(host: str, namespace: str, domain: str) -> str:
    """A host as a full name: one without dot or wildcard is a service of the namespace."""
    if "." in host or host.startswith("*") or not host:
        return host
    return f"{host}.{namespace}.svc.{domain}"


def matches_host(wildcard: str, host: str) -> bool:
    """Whether ``host`` (perhaps a wildcard too) is one of the names that ``wildcard`` stands for."""
    if wildcard == host:
        return True
    return wildcard.startswith("*") and host.removeprefix("*").endswith(wildcard[1:])
