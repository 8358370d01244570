"""The objects of a cluster that an analysis is about, as documents."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from discovery.kube.errors import ForbiddenError, NotFoundError
from discovery.kube.nesting import PAGE_LEVEL, read_any_depth
from discovery.kube.resources import CONFIG_MAPS, MUTATING_WEBHOOKS, SECRETS, VALIDATING_WEBHOOKS, Resource
from discovery.schema.meta import Kind
from discovery.sources.kubernetes_kinds import CORE, DEFINITIONS, decode_definition

if TYPE_CHECKING:
    from discovery.kube.client import KubeClient

__all__ = ["ClusterObjects", "read_cluster"]

_PAGE: Final = "500"
_KINDS: Final = (
    *((str(kind), CORE[kind]) for kind in (Kind.NAMESPACE, Kind.NODE, Kind.SERVICE, Kind.POD)),
    ("Deployment", Resource("apps", "v1", "deployments")),
    ("Secret", SECRETS),
    ("MutatingWebhookConfiguration", MUTATING_WEBHOOKS),
    ("ValidatingWebhookConfiguration", VALIDATING_WEBHOOKS),
)
_DECODER: Final = msgspec.json.Decoder(dict[str, Any])


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
    wanted = [*((kind, resource, "") for kind, resource in _KINDS), ("ConfigMap", CONFIG_MAPS, istio_namespace)]
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
        data = await client.get(resource.collection(namespace), query)
        page = read_any_depth(_DECODER.decode, data, level=PAGE_LEVEL)  # as the control plane reads it
        for item in page.get("items") or ():
            item.get("metadata", {}).pop("managedFields", None)
            yield item
        query["continue"] = page.get("metadata", {}).get("continue") or ""
        if not query["continue"]:
            return
