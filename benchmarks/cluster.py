"""The mesh that is measured, in a real API server: the same objects and the same edits, by server-side apply.

The server is the one of `make test-kube`, on loopback, with its controllers; nothing but the objects differs from
the runs on a directory: Services name no selector, since no pods stand behind their endpoints, and get
their addresses from the server.
"""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import yaml

from benchmarks.mesh import Mesh, MeshEdits, MeshService
from benchmarks.processes import MeasuringError

__all__ = ["Cluster", "MeshCluster", "running_cluster"]

_CRDS: Final = Path(__file__).resolve().parents[1] / "charts/base/files/crds"
_PLURALS: Final = {
    "DestinationRule": "destinationrules",
    "EndpointSlice": "endpointslices",
    "Namespace": "namespaces",
    "Service": "services",
    "ServiceEntry": "serviceentries",
    "Sidecar": "sidecars",
    "VirtualService": "virtualservices",
    "CustomResourceDefinition": "customresourcedefinitions",
}
_CLUSTER_WIDE: Final = ("Namespace", "CustomResourceDefinition")
_TIMEOUT_S: Final = 30.0


class Cluster(msgspec.Struct, frozen=True, kw_only=True):
    """An API server to measure with."""

    url: str
    ca_pem: bytes
    token: str
    kubeconfig: Path
    version: str


class MeshCluster(MeshEdits):
    """The mesh in an API server. Holds one connection."""

    def __init__(self, cluster: Cluster, mesh: Mesh) -> None:
        super().__init__(mesh)
        parts = urlsplit(cluster.url)
        tls = ssl.create_default_context(cadata=cluster.ca_pem.decode())
        self._connection = http.client.HTTPSConnection(
            parts.hostname or "", parts.port, context=tls, timeout=_TIMEOUT_S
        )
        self._headers = {"Authorization": f"Bearer {cluster.token}", "Content-Type": "application/apply-patch+yaml"}

    def write(self) -> None:
        """Definitions, namespaces, and then every object."""
        for path in sorted(_CRDS.glob("*.yaml")):
            self._apply(yaml.safe_load(path.read_text()))
        self._until_served("/apis/networking.istio.io/v1")
        for name in ("istio-system", self._service(0).namespace, self._hidden(0).namespace):
            self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        super().write()

    def _put(self, folder: str, service: MeshService, text: str) -> None:
        for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
            if document["kind"] == "Service":
                for field in ("selector", "clusterIP"):
                    document["spec"].pop(field)
            self._apply(document)

    def _apply(self, document: dict[str, Any]) -> None:
        path = _path(document) + "?fieldManager=benchmark&force=true"
        status, body = self._ask("PATCH", path, msgspec.json.encode(document))
        if status not in (200, 201):
            raise MeasuringError(f"the API server answered {status} to {path}: {body[:400]!r}")

    def _until_served(self, path: str) -> None:
        """Definitions are served a little after they were written; each question takes about a millisecond."""
        for _ in range(10_000):
            status, body = self._ask("GET", path, b"")
            if status == 200 and b'"virtualservices"' in body:
                return
        raise MeasuringError(f"the API server never served {path}")

    def _ask(self, method: str, path: str, body: bytes) -> tuple[int, bytes]:
        self._connection.request(method, path, body or None, self._headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


def _path(document: dict[str, Any]) -> str:
    version, kind, meta = document["apiVersion"], document["kind"], document["metadata"]
    root = f"/apis/{version}" if "/" in version else f"/api/{version}"
    where = "" if kind in _CLUSTER_WIDE else f"/namespaces/{meta['namespace']}"
    return f"{root}{where}/{_PLURALS[kind]}/{meta['name']}"


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A real API server of the tests (KUBEBUILDER_ASSETS, else built once with Go)."""
    from tests.kube.server import running_control_plane

    with running_control_plane() as running:
        address = running.address
        yield Cluster(
            url=address.url,
            ca_pem=address.ca_pem,
            token=address.admin_token,
            kubeconfig=address.kubeconfig,
            version=address.version,
        )
