"""The mesh that is measured, as the YAML a cluster would hold, and the edits made to it; in a directory, as it is here:
``services/`` has one file per Service, ``endpoints/`` one per EndpointSlice, ``policies/`` one per pair of
VirtualService and DestinationRule, so that an edit is one small file, as it is for a user.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from enum import StrEnum
from ipaddress import IPv4Address
from pathlib import Path

import msgspec

__all__ = ["Mesh", "MeshDirectory", "MeshEdits", "MeshService", "Shape"]

_SERVICE_IPS = IPv4Address("10.96.0.1")
_ENDPOINT_IPS = IPv4Address("10.16.0.1")
_ELSEWHERE = "elsewhere"


class Shape(StrEnum):
    """How a service is written: as Kubernetes does, or as a ServiceEntry (which istiod reads from a directory too)."""

    KUBERNETES = "kubernetes"
    SERVICE_ENTRY = "service-entry"


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """Size and shape; design section 5 is the default."""

    services: int = 1000
    endpoints: int = 10
    policies: int = 10  # services with a VirtualService and a DestinationRule
    elsewhere: int = 10  # services of another namespace that exports nothing
    namespace: str = "bench"
    port: int = 80
    shape: Shape = Shape.KUBERNETES

    def title(self) -> str:
        """``1000 services x 10 endpoints``."""
        return f"{self.services} services x {self.endpoints} endpoints"


class MeshService(msgspec.Struct, frozen=True, kw_only=True):
    """One service of a mesh: its number places its addresses."""

    number: int
    namespace: str
    endpoints: int
    port: int
    shape: Shape
    exported: bool = True

    @property
    def name(self) -> str:
        """Of the Service and what belongs to it."""
        return f"svc-{self.number:05}"

    @property
    def host(self) -> str:
        """Fully qualified."""
        return f"{self.name}.{self.namespace}.svc.cluster.local"

    @property
    def vip(self) -> str:
        """The virtual address."""
        return str(_SERVICE_IPS + self.number)

    def addresses(self, edition: int) -> list[str]:
        """Endpoint addresses; each edition replaces the first one."""
        first = _ENDPOINT_IPS + self.number * self.endpoints
        addresses = [str(first + i) for i in range(self.endpoints)]
        if edition:
            addresses[0] = f"10.200.{self.number % 250}.{edition % 250 + 1}"
        return addresses


def _metadata(service: MeshService, name: str, extra: str = "") -> str:
    return f"metadata:\n  name: {name}\n  namespace: {service.namespace}\n{extra}"


def _kubernetes_service(service: MeshService) -> str:
    private = '  annotations: {networking.istio.io/exportTo: "."}\n' if not service.exported else ""
    return (
        "apiVersion: v1\nkind: Service\n"
        + _metadata(service, service.name, private)
        + f"spec:\n  clusterIP: {service.vip}\n  selector: {{app: {service.name}}}\n"
        + f"  ports:\n  - {{name: http, port: {service.port}, targetPort: 8080, protocol: TCP}}\n"
    )


def _endpoint_slice(service: MeshService, edition: int) -> str:
    labels = f"  labels: {{kubernetes.io/service-name: {service.name}}}\n"
    endpoints = "".join(
        f"- addresses: [{address}]\n  conditions: {{ready: true}}\n" for address in service.addresses(edition)
    )
    return (
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
        + _metadata(service, f"{service.name}-1", labels)
        + "addressType: IPv4\nports:\n- {name: http, port: 8080, protocol: TCP}\n"
        + f"endpoints:\n{endpoints}"
    )


def _service_entry(service: MeshService, edition: int) -> str:
    endpoints = "".join(f"  - {{address: {address}}}\n" for address in service.addresses(edition))
    return (
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\n"
        + _metadata(service, service.name)
        + f"spec:\n  hosts: [{service.host}]\n  addresses: [{service.vip}]\n"
        + "  location: MESH_INTERNAL\n  resolution: STATIC\n"
        + ("" if service.exported else '  exportTo: ["."]\n')
        + f"  ports:\n  - {{name: http, number: {service.port}, targetPort: 8080, protocol: HTTP}}\n"
        + f"  endpoints:\n{endpoints}"
    )


def _policies(service: MeshService, edition: int) -> str:
    """A route with a retry policy and a time limit that each edition changes, and a load balancer."""
    return (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\n"
        + _metadata(service, service.name)
        + f"spec:\n  hosts: [{service.host}]\n  http:\n  - name: api\n    match:\n    - uri: {{prefix: /api}}\n"
        + f"    timeout: {edition % 1000 + 1}s\n    retries: {{attempts: 3, perTryTimeout: 1s, retryOn: 5xx}}\n"
        + f"    route:\n    - destination: {{host: {service.host}, port: {{number: {service.port}}}}}\n"
        + f"  - name: rest\n    route:\n    - destination: {{host: {service.host}, port: {{number: {service.port}}}}}\n"
        + "---\napiVersion: networking.istio.io/v1\nkind: DestinationRule\n"
        + _metadata(service, service.name)
        + f"spec:\n  host: {service.host}\n  trafficPolicy:\n    loadBalancer: {{simple: LEAST_REQUEST}}\n"
        + "    connectionPool: {http: {http1MaxPendingRequests: 100}}\n"
    )


class MeshEdits(ABC):
    """What is written at first and what is edited then, wherever it is kept. The only writer there."""

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = mesh
        self._edition = 0
        self._added = 0

    @abstractmethod
    def _put(self, folder: str, service: MeshService, text: str) -> None:
        """Write one file's documents, over what the same file held before."""

    def write(self) -> None:
        """Write every file; what else is there stays."""
        for number in range(self.mesh.services):
            self._write_service(self._service(number))
        for number in range(min(self.mesh.policies, self.mesh.services)):
            self._put("policies", self._service(number), _policies(self._service(number), 0))
        for number in range(self.mesh.elsewhere):
            self._write_service(self._hidden(number))

    def change_endpoint(self) -> None:
        """One endpoint of one service, without policies, gets another address."""
        self._edition += 1
        self._put_endpoints(self._service(self.mesh.services - 1), self._edition)

    def change_virtual_service(self) -> None:
        """One route of one VirtualService gets another time limit."""
        self._edition += 1
        service = self._service(self._edition % min(self.mesh.policies, self.mesh.services))
        self._put("policies", service, _policies(service, self._edition))

    def add_service(self) -> None:
        """One more service, with its endpoints."""
        self._added += 1
        self._write_service(self._service(self.mesh.services + self.mesh.elsewhere + self._added))

    def change_elsewhere(self) -> None:
        """An endpoint of a service that no sidecar of the namespace can see."""
        self._edition += 1
        self._put_endpoints(self._hidden(0), self._edition)

    @property
    def probed_host(self) -> str:
        """The host whose route is edited while a real Envoy is asked for it."""
        return self._service(self.mesh.services - 1).host

    def add_probe(self) -> None:
        """Let proxies labelled ``app: probe`` listen on the mesh's port themselves."""
        service = self._service(self.mesh.services - 1)
        sidecar = (
            f"apiVersion: networking.istio.io/v1\nkind: Sidecar\n{_metadata(service, 'probe')}"
            "spec:\n  workloadSelector: {labels: {app: probe}}\n  egress:\n"
            f"  - {{port: {{number: {service.port}, protocol: HTTP, name: http}}, bind: 127.0.0.1, hosts: ['*/*']}}\n"
        )
        self._put("sidecars", service, sidecar)

    def redirect_probe(self, edition: int) -> None:
        """Redirect requests for the probed host to a place that names the edition."""
        service = self._service(self.mesh.services - 1)
        route = (
            f"apiVersion: networking.istio.io/v1\nkind: VirtualService\n{_metadata(service, 'probe')}"
            f"spec:\n  hosts: [{service.host}]\n  http:\n  - redirect: {{authority: edition-{edition}.example}}\n"
        )
        self._put("policies", service, route)

    def _service(self, number: int) -> MeshService:
        mesh = self.mesh
        return MeshService(
            number=number, namespace=mesh.namespace, endpoints=mesh.endpoints, port=mesh.port, shape=mesh.shape
        )

    def _hidden(self, number: int) -> MeshService:
        service = self._service(self.mesh.services + number)
        return msgspec.structs.replace(service, namespace=_ELSEWHERE, exported=False)

    def _write_service(self, service: MeshService) -> None:
        # Endpoints first: a service that is seen before its endpoints would be configured twice.
        self._put_endpoints(service, 0)
        if service.shape is Shape.KUBERNETES:
            self._put("services", service, _kubernetes_service(service))

    def _put_endpoints(self, service: MeshService, edition: int) -> None:
        text = _endpoint_slice if service.shape is Shape.KUBERNETES else _service_entry
        self._put("endpoints", service, text(service, edition))


class MeshDirectory(MeshEdits):
    """The mesh as files below a directory, which is made."""

    def __init__(self, root: Path, mesh: Mesh) -> None:
        super().__init__(mesh)
        self.root = root

    def _put(self, folder: str, service: MeshService, text: str) -> None:
        """Replace one file at once, as editors and ``kubectl``-like tools do; a reader never sees half of it."""
        path = self.root / folder / f"{service.namespace}-{service.name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".new")
        scratch.write_text(text)
        os.replace(scratch, path)
