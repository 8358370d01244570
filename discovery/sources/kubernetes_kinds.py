"""Which resources of a cluster are read for which kind: Kubernetes' own always, ours while their CRD exists. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from discovery.kube.resources import Resource
from discovery.schema.kinds import KINDS, KindInfo, find_kind
from discovery.schema.meta import Kind

__all__ = ["CORE", "DEFINITIONS", "Definition", "ResourceFilter", "decode_definition", "resources_of"]

DEFINITIONS: Final = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", namespaced=False)
CORE: Final[Mapping[Kind, Resource]] = MappingProxyType(
    {
        Kind.NAMESPACE: Resource("", "v1", "namespaces", namespaced=False),
        Kind.NODE: Resource("", "v1", "nodes", namespaced=False),
        Kind.POD: Resource("", "v1", "pods"),
        Kind.SERVICE: Resource("", "v1", "services"),
        Kind.ENDPOINT_SLICE: Resource("discovery.k8s.io", "v1", "endpointslices"),
    }
)


class ResourceFilter(msgspec.Struct, frozen=True):
    """Kinds that are not to be read (``PILOT_IGNORE_RESOURCES``), and exceptions (``PILOT_INCLUDE_RESOURCES``).

    Entries are names of CRDs such as ``sidecars.networking.istio.io``, or whole groups such as ``*.istio.io``.
    """

    ignored: tuple[str, ...] = ()
    included: tuple[str, ...] = ()

    def accepts(self, name: str) -> bool:
        """Whether a CRD of that name is to be read."""
        return _named(self.included, name) or not _named(self.ignored, name)


class Definition(msgspec.Struct, frozen=True):
    """What a CRD says about how to read its objects."""

    info: KindInfo
    resource: Resource


class _Names(msgspec.Struct, frozen=True):
    plural: str
    kind: str


class _Version(msgspec.Struct, frozen=True):
    name: str
    served: bool = False


class _Spec(msgspec.Struct, frozen=True):
    group: str
    names: _Names
    versions: tuple[_Version, ...] = ()
    scope: str = "Namespaced"


class _Definition(msgspec.Struct, frozen=True):
    spec: _Spec


_DECODER: Final = msgspec.json.Decoder(_Definition)


def decode_definition(raw: bytes) -> Definition | None:
    """The best served version of a CRD that is of a kind of ours; None if it is of none, or serves none we know."""
    spec = _DECODER.decode(raw).spec
    info = find_kind(spec.group, spec.names.kind)
    if info is None or info.kind in CORE:
        return None
    served = {version.name for version in spec.versions if version.served}
    best = next((version for version in info.versions if version in served), None)
    if best is None:
        return None
    return Definition(info, Resource(spec.group, best, spec.names.plural, namespaced=spec.scope != "Cluster"))


def resources_of(definitions: Iterable[Definition], wanted: ResourceFilter) -> dict[Kind, Resource]:
    """What to read for the kinds of ours whose CRDs there are."""
    return {
        definition.info.kind: definition.resource
        for definition in definitions
        if definition.info.kind in KINDS and wanted.accepts(str(definition.resource))
    }


def _named(patterns: Sequence[str], name: str) -> bool:
    _, _, group = name.partition(".")
    return any(
        pattern == name or (pattern.startswith("*.") and (group == pattern[2:] or group.endswith(pattern[1:])))
        for pattern in patterns
    )
