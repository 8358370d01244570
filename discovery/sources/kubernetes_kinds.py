"""Which resources of a cluster are read for which kind: Kubernetes' own always, ours while their CRD exists. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import msgspec

from discovery.kube.resources import Resource
from discovery.schema.findings import Finding, Severity
from discovery.schema.gateway_api.references import GROUP
from discovery.schema.kinds import KindInfo, find_kind, is_mesh_group
from discovery.schema.meta import Kind

__all__ = ["CORE", "DEFINITIONS", "Definition", "ResourceFilter", "decode_definition", "resources_of", "unread"]

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

    Entries are names of CRDs such as ``sidecars.networking.istio.io``, or whole groups such as ``*.istio.io``. Without
    ``gateway_api`` no kind of that group is read, whatever they say.
    """

    ignored: tuple[str, ...] = ()
    included: tuple[str, ...] = ()
    gateway_api: bool = True

    def accepts(self, name: str) -> bool:
        """Whether a CRD of that name is to be read."""
        if not self.gateway_api and name.endswith(f".{GROUP}"):
            return False
        return _named(self.included, name) or not _named(self.ignored, name)


class Definition(msgspec.Struct, frozen=True):
    """What a CRD says about how to read its objects.

    Attributes:
        kind: as objects state it.
        info: what we know of the kind; None: it is meant for a mesh, and we do not serve it, or no version of it.
    """

    kind: str
    info: KindInfo | None
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
    """The best served version of a CRD that is of a kind of ours; None if it is no business of a mesh."""
    spec = _DECODER.decode(raw).spec
    info = find_kind(spec.group, spec.names.kind)
    served = {version.name for version in spec.versions if version.served}
    known = info.versions if info is not None and info.kind not in CORE else ()
    best = next((version for version in known if version in served), "")
    if not best and not (is_mesh_group(spec.group) and served):
        return None
    resource = Resource(spec.group, best or min(served), spec.names.plural, namespaced=spec.scope != "Cluster")
    return Definition(spec.names.kind, info if best else None, resource)


def resources_of(definitions: Iterable[Definition], wanted: ResourceFilter) -> dict[Kind, Resource]:
    """What to read for the kinds of ours whose CRDs there are."""
    return {
        definition.info.kind: definition.resource
        for definition in definitions
        if definition.info is not None and wanted.accepts(str(definition.resource))
    }


def unread(definitions: Iterable[Definition]) -> Iterator[Finding]:
    """One finding for each group with CRDs that are meant for a mesh, but whose objects are not read."""
    by_group: dict[str, list[str]] = {}
    for definition in definitions:
        if definition.info is None:
            by_group.setdefault(definition.resource.group, []).append(definition.kind)
    for group, kinds in sorted(by_group.items()):
        yield Finding(
            f"CustomResourceDefinition *.{group}",
            "",
            f"{', '.join(sorted(kinds))} can be created here, but this control plane does not read them",
            "such objects have no effect, unless another controller serves them",
            Severity.INFO,
        )


def _named(patterns: Sequence[str], name: str) -> bool:
    _, _, group = name.partition(".")
    return any(
        pattern == name or (pattern.startswith("*.") and (group == pattern[2:] or group.endswith(pattern[1:])))
        for pattern in patterns
    )
