"""The objects of a cluster that an analysis is about, as documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from discovery.kube.errors import ForbiddenError, NotFoundError
from discovery.kube.nesting import PAGE_LEVEL, without_depths
from discovery.kube.resources import Resource
from discovery.sources.kubernetes_kinds import DEFINITIONS, decode_definition

if TYPE_CHECKING:
    from discovery.kube.client import KubeClient

__all__ = ["ClusterObjects", "read_cluster"]

_PAGE: Final = "500"
_ADMISSION: Final = "admissionregistration.k8s.io"
_KINDS: Final = (
    ("Namespace", Resource("", "v1", "namespaces", namespaced=False)),
    ("Node", Resource("", "v1", "nodes", namespaced=False)),
    ("Service", Resource("", "v1", "services")),
    ("Pod", Resource("", "v1", "pods")),
    ("Deployment", Resource("apps", "v1", "deployments")),
    ("Secret", Resource("", "v1", "secrets")),
    ("MutatingWebhookConfiguration", Resource(_ADMISSION, "v1", "mutatingwebhookconfigurations", namespaced=False)),
    ("ValidatingWebhookConfiguration", Resource(_ADMISSION, "v1", "validatingwebhookconfigurations", namespaced=False)),
)
_CONFIG_MAPS: Final = Resource("", "v1", "configmaps")


class ClusterObjects(msgspec.Struct, frozen=True):
    """What is in a cluster.

    Attributes:
        server: its URL.
        documents: the objects as the API server has them, with `apiVersion` and `kind`.
        unread: what we may not read, each with why.
    """

    server: str
    documents: tuple[dict[str, Any], ...]
    unread: tuple[str, ...] = ()


async def read_cluster(client: KubeClient, istio_namespace: str) -> ClusterObjects:
    """All of the kinds that analyzers look at, of ConfigMaps those of the control plane's namespace alone.

    Raises:
        KubeError: the API server does not answer, or not as it should. What one may not read is no such error.
    """
    documents: list[dict[str, Any]] = []
    unread: list[str] = []
    wanted = [*((kind, resource, "") for kind, resource in _KINDS), ("ConfigMap", _CONFIG_MAPS, istio_namespace)]
    try:
        wanted += [(kind, resource, "") async for kind, resource in _mesh_kinds(client)]
    except ForbiddenError as error:
        unread.append(f"{DEFINITIONS} (so no kinds of the mesh are known): {error}")
    for kind, resource, namespace in wanted:
        try:
            found = [item async for item in _items(client, resource, namespace)]
        except (ForbiddenError, NotFoundError) as error:
            unread.append(f"{resource}: {error}")
        else:
            documents += ({"apiVersion": resource.api_version, "kind": kind, **item} for item in found)
    return ClusterObjects(client.server, tuple(documents), tuple(unread))


async def _mesh_kinds(client: KubeClient) -> AsyncIterator[tuple[str, Resource]]:
    """The kinds of ours that are installed."""
    async for item in _items(client, DEFINITIONS):
        definition = decode_definition(msgspec.json.encode(item))
        if definition is not None and definition.info is not None:
            yield definition.kind, definition.resource


async def _items(client: KubeClient, resource: Resource, namespace: str = "") -> AsyncIterator[dict[str, Any]]:
    query = {"limit": _PAGE}
    while True:
        page = _page(await client.get(resource.collection(namespace), query))
        for item in page.get("items") or ():
            item.get("metadata", {}).pop("managedFields", None)
            yield item
        query["continue"] = page.get("metadata", {}).get("continue") or ""
        if not query["continue"]:
            return


def _page(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except RecursionError:  # of an object that is nested too deeply; the control plane reads it so, too
        return msgspec.json.decode(without_depths(data, level=PAGE_LEVEL), type=dict[str, Any])
