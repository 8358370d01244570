"""Objects as analyzers see them: any kind, also ones that break a rule, for those have owners to tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from discovery.schema.findings import Finding
from discovery.schema.kinds import find_kind
from discovery.schema.meta import Origin
from discovery.schema.proto_json import read_leniently
from discovery.validation.analyze import kubernetes
from discovery.validation.analyze.message import Code, Message

__all__ = ["Resource", "about", "read_resources"]

_STRUCTS: Final[Mapping[tuple[str, str], type[msgspec.Struct]]] = {
    ("", "Service"): kubernetes.Service,
    ("", "Pod"): kubernetes.Pod,
    ("apps", "Deployment"): kubernetes.Deployment,
    ("", "ConfigMap"): kubernetes.ConfigMap,
    ("", "Secret"): kubernetes.Secret,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): kubernetes.WebhookConfiguration,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): kubernetes.WebhookConfiguration,
}
_CLUSTER_WIDE: Final = frozenset(
    {"Namespace", "Node", "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration", "GatewayClass"}
)


class Resource(msgspec.Struct, frozen=True, kw_only=True):
    """An object: its spec is a struct where we know the kind, else None; ``raw`` is what was written."""

    group: str
    kind: str
    namespace: str
    name: str
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    spec: Any = None
    raw: Mapping[str, Any] = {}
    origin: Origin = Origin()
    cluster: str = ""

    @property
    def full_name(self) -> str:
        """``namespace/name``, or the name alone."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind} {self.full_name}"


def about(code: Code, resource: Resource, text: str, hint: str = "") -> Message:
    """A message about an object."""
    return Message(code=code, resource=str(resource), text=text, hint=hint, origin=resource.origin)


def read_resources(
    document: object, *, origin: Origin, namespace: str = "", cluster: str = ""
) -> Iterator[Resource | Finding]:
    """The objects of a parsed document, those of a list one by one; a finding for what is none."""
    if document is None:
        return
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        yield Finding("", "", "no Kubernetes object: it has no kind", "it is not analyzed", origin=origin)
        return
    if document["kind"].endswith("List") and isinstance(document.get("items"), list):
        for item in document["items"]:
            yield from read_resources(item, origin=origin, namespace=namespace, cluster=cluster)
        return
    yield _resource(document, origin, namespace, cluster)


def _resource(document: Mapping[str, Any], origin: Origin, namespace: str, cluster: str) -> Resource:
    group = str(document.get("apiVersion", "")).rpartition("/")[0]
    kind = document["kind"]
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    own = str(metadata.get("namespace") or namespace)
    return Resource(
        group=group,
        kind=kind,
        namespace="" if kind in _CLUSTER_WIDE else own,
        name=str(metadata.get("name") or ""),
        labels=_texts(metadata.get("labels")),
        annotations=_texts(metadata.get("annotations")),
        spec=_spec(group, kind, document),
        raw=document,
        origin=origin,
        cluster=cluster,
    )


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _spec(group: str, kind: str, document: Mapping[str, Any]) -> Any:
    struct = _STRUCTS.get((group, kind))
    if struct is not None:
        return read_leniently(struct, document)
    info = find_kind(group, kind)
    if info is None or info.whole:
        return None
    return read_leniently(info.struct, document.get("spec") or {})
