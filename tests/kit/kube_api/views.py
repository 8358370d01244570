"""How objects look in answers: themselves, their metadata alone, or the table that `kubectl get` prints.

Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#alternate-representations-of-resources
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from tests.kit.kube_api.call import Call
from tests.kit.kube_api.clock import ServerClock
from tests.kit.kube_api.errors import StatusError
from tests.kit.kube_api.kinds import Kind
from tests.kit.kube_api.objects import Json, drop, meta
from tests.kit.kube_api.tables import Tables

__all__ = ["View", "view_of"]


class View(Protocol):
    """One way to show objects."""

    def one(self, item: Json) -> Json:
        """An object that is the whole answer."""

    def many(self, items: Sequence[Json], metadata: Json) -> Json:
        """A list."""

    def event(self, item: Json) -> Json:
        """The object of a watch event; the view may remember what it has sent before."""


class _Whole:
    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def one(self, item: Json) -> Json:
        return item

    def many(self, items: Sequence[Json], metadata: Json) -> Json:
        kind = self._kind
        if kind.custom:  # only these repeat their type in each item
            shown = [{**item, "apiVersion": kind.api_version, "kind": kind.kind} for item in items]
        else:
            shown = [drop(item, "apiVersion", "kind") for item in items]
        return {"kind": kind.kind_of_list, "apiVersion": kind.api_version, "metadata": metadata, "items": shown}

    def event(self, item: Json) -> Json:
        return item


class _MetadataOnly:
    def one(self, item: Json) -> Json:
        return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": meta(item)}

    def many(self, items: Sequence[Json], metadata: Json) -> Json:
        shown = [self.one(item) for item in items]
        answer: Json = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1"}
        return {**answer, "metadata": metadata, "items": shown}

    def event(self, item: Json) -> Json:
        return self.one(item)


def view_of(call: Call, kind: Kind, clock: ServerClock) -> View:
    """The first view among those that the client accepts.

    Raises:
        StatusError: 406, it accepts none that we have.
    """
    for accepted in (call.accept or "*/*").split(","):
        name, *parts = (part.strip() for part in accepted.split(";"))
        wanted = dict(part.split("=", 1) for part in parts if "=" in part)
        if name not in ("application/json", "*/*", "application/*", "application/yaml"):
            continue
        match wanted.get("as"):
            case "Table":
                return Tables(kind, clock, include=call.query.get("includeObject", "Metadata"))
            case "PartialObjectMetadata" | "PartialObjectMetadataList":
                return _MetadataOnly()
            case None:
                return _Whole(kind)
    raise StatusError(406, "NotAcceptable", "only the following media types are accepted: application/json")
