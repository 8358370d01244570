"""WorkloadEntries in a cluster: read and written at its API server, with the status as the subresource that it is.

Every write carries the resourceVersion that was read, so of several replicas only one has its way, and the others look
again.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import msgspec

from discovery.controllers.workload_entries import Document
from discovery.controllers.workload_entries_writer import ChangedError, InvalidEntryError, UnavailableError
from discovery.kube.client import KubeClient
from discovery.kube.errors import (
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    TooManyRequestsError,
)
from discovery.kube.resources import Resource
from discovery.schema.meta import ObjectKey

__all__ = ["ENTRIES", "ClusterEntries"]

ENTRIES: Final = Resource("networking.istio.io", "v1", "workloadentries")


class ClusterEntries:
    """An ``EntryWriter`` over an API server."""

    def __init__(self, client: KubeClient) -> None:
        self._client = client

    async def read(self, key: ObjectKey) -> Document | None:
        """GET it: what a watch has told may be older than our own last write."""
        with _told():
            try:
                return _decoded(await self._client.get(ENTRIES.object(key.namespace, key.name)))
            except NotFoundError:
                return None

    async def create(self, document: Document) -> Document:
        """POST it."""
        with _told():
            path = ENTRIES.collection(document["metadata"]["namespace"])
            return _decoded(await self._client.create(path, msgspec.json.encode(document)))

    async def replace(self, document: Document) -> Document:
        """PUT it; the API server leaves the status as it is."""
        with _told():
            return _decoded(await self._client.replace(_path(document), msgspec.json.encode(document)))

    async def replace_status(self, document: Document) -> Document:
        """PUT its status."""
        with _told():
            path = _path(document, "status")
            return _decoded(await self._client.replace(path, msgspec.json.encode(document)))

    async def delete(self, document: Document) -> None:
        """DELETE it, if it is still the one that was read."""
        metadata = document["metadata"]
        known = {name: metadata[name] for name in ("uid", "resourceVersion") if metadata.get(name)}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": known}
        with _told():
            try:
                await self._client.delete(_path(document), msgspec.json.encode(options))
            except NotFoundError:
                return


def _path(document: Document, subresource: str = "") -> str:
    metadata = document["metadata"]
    return ENTRIES.object(metadata["namespace"], metadata["name"], subresource)


def _decoded(data: bytes) -> Document:
    return msgspec.json.decode(data, type=Document)


@contextmanager
def _told() -> Iterator[None]:
    """What the API server says, as what it means for an entry."""
    try:
        yield
    except (ConflictError, NotFoundError) as error:
        raise ChangedError(str(error)) from error
    except (InvalidError, ForbiddenError) as error:
        raise InvalidEntryError(str(error)) from error
    except TooManyRequestsError as error:
        raise UnavailableError(str(error), error.retry_after_s) from error
    except (KubeError, msgspec.DecodeError) as error:
        raise UnavailableError(str(error)) from error
