"""Files and clusters as analyzers want them: every object of any kind, and the mesh that they say they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from discovery.ctl.errors import CtlError
from discovery.ctl.findings import ManifestFile, documents_in
from discovery.ctl.vm.read import read_mesh
from discovery.schema.decode import decode
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.findings import Finding
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import YamlError, parse_yaml
from discovery.validation.analyze.mesh import schema_messages
from discovery.validation.analyze.message import Message
from discovery.validation.analyze.registry import Suppression, analyze
from discovery.validation.analyze.resource import Resource, read_resources
from discovery.validation.analyze.world import World
from discovery.validation.loading import accepted, untranslated

__all__ = ["MESH_MAP", "findings_living", "messages_about", "read_world"]

MESH_MAP: Final = ("istio-system", "istio")


def read_world(
    files: Iterable[ManifestFile],
    *,
    namespace: str,
    mesh_file: Path | None = None,
    mesh_map: tuple[str, str] = MESH_MAP,
    documents: Iterable[Mapping[str, Any]] = (),
) -> World:
    """The objects of the files, those without namespace in ``namespace``; and of a cluster those that no file has.

    The mesh configuration is that of ``mesh_file``, else of a ConfigMap ``mesh_map`` (namespace, name) among the
    objects, else Istio's defaults.

    Raises:
        CtlError: the mesh configuration cannot be used.
    """
    resources = [resource for file in files for resource in _resources(documents_in(file), namespace)]
    written = {_identity(resource) for resource in resources}
    living = _resources((document, Origin()) for document in documents)
    resources += [resource for resource in living if _identity(resource) not in written]
    maps = (r for r in resources if r.kind == "ConfigMap" and (r.namespace, r.name) == mesh_map)
    found = next(maps, None)
    data: Mapping[str, str] = found.spec.data if found is not None else {}
    where = f"ConfigMap {'/'.join(mesh_map)}"
    networks = _parsed(data.get("meshNetworks", ""), where)
    if mesh_file is not None:
        mesh = _mesh(read_mesh(mesh_file), str(mesh_file))
    else:
        mesh = _mesh(_parsed(data.get("mesh", ""), where), where)
    return World(resources, mesh=mesh, mesh_networks=networks)


def _resources(documents: Iterable[tuple[object, Origin]], namespace: str = "") -> Iterator[Resource]:
    for document, origin in documents:
        for entry in read_resources(document, origin=origin, namespace=namespace):
            if isinstance(entry, Resource):
                yield entry


def _identity(resource: Resource) -> tuple[str, str, str, str]:
    return resource.group, resource.kind, resource.namespace, resource.name


def _parsed(text: str, where: str) -> Mapping[str, Any]:
    try:
        document = parse_yaml(text)
    except YamlError as error:
        raise CtlError(f"{where}: {error}") from error
    return document if isinstance(document, dict) else {}


def _mesh(document: Mapping[str, Any], where: str) -> MeshConfig:
    mesh, findings = decode_mesh_config(dict(document), origin=Origin("file", where))
    if mesh is None:
        raise CtlError(f"{where}: {'; '.join(map(str, findings))}")
    return mesh


def findings_living(world: World) -> Iterator[Finding]:
    """What is wrong with each of the world's objects that come from a cluster."""
    keys = []
    for resource in world.all():
        if not resource.origin.path:
            result = accepted(decode(dict(resource.raw), origin=resource.origin))
            yield from result.findings
            keys += [obj.key for obj in result.objects]
    yield from untranslated(keys)


def messages_about(
    findings: Iterable[Finding], world: World, *, suppressed: Iterable[Suppression] = ()
) -> list[Message]:
    """All that is wrong with objects one by one (as was found) and together, worst first."""
    silenced = tuple(suppressed)
    alone = iter(findings)
    found = [m for m in schema_messages(alone) if not any(one.covers(m) for one in silenced)]
    found += analyze(world, suppressed=silenced)
    return sorted(found, key=lambda m: (-m.severity, m.origin.path, m.origin.line, m.resource, m.code))
