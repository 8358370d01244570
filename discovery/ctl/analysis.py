"""Files as analyzers want them: every object of any kind, and the mesh that they say they are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from discovery.ctl.errors import CtlError
from discovery.ctl.findings import findings_in
from discovery.ctl.vm.read import read_mesh
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.findings import Finding
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import YamlError, parse_yaml, split_documents
from discovery.sources.documents import FileContent
from discovery.validation.analyze.mesh import schema_messages
from discovery.validation.analyze.message import Message
from discovery.validation.analyze.registry import Suppression, analyze
from discovery.validation.analyze.resource import Resource, read_resources
from discovery.validation.analyze.world import World

__all__ = ["messages_about", "read_world"]

_MESH_MAP: Final = ("istio-system", "istio")


def read_world(files: Iterable[FileContent], *, namespace: str, mesh_file: Path | None = None) -> World:
    """The objects of the files; those without namespace are in ``namespace``.

    The mesh configuration is that of ``mesh_file``, else of a ConfigMap ``istio-system/istio`` among the objects, else
    Istio's defaults.

    Raises:
        CtlError: a file cannot be read, or the mesh configuration cannot be used.
    """
    resources = [resource for file in files if not file.unreadable for resource in _resources(file.path, namespace)]
    maps = (r for r in resources if r.kind == "ConfigMap" and (r.namespace, r.name) == _MESH_MAP)
    found = next(maps, None)
    data: Mapping[str, str] = found.spec.data if found is not None else {}
    where = f"ConfigMap {'/'.join(_MESH_MAP)}"
    networks = _parsed(data.get("meshNetworks", ""), where)
    if mesh_file is not None:
        mesh = _mesh(read_mesh(mesh_file), str(mesh_file))
    else:
        mesh = _mesh(_parsed(data.get("mesh", ""), where), where)
    return World(resources, mesh=mesh, mesh_networks=networks)


def _resources(path: str, namespace: str) -> Iterator[Resource]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CtlError(f"{path}: {error.strerror}") from error
    for piece in split_documents(text):
        try:
            document = parse_yaml(piece.text)
        except YamlError:
            continue  # told as a finding
        for entry in read_resources(document, origin=Origin("file", path, piece.line), namespace=namespace):
            if isinstance(entry, Resource):
                yield entry


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


def messages_about(
    files: Iterable[FileContent], world: World, *, suppressed: Iterable[Suppression] = ()
) -> list[Message]:
    """All that is wrong with objects one by one and together, worst first."""
    silenced = tuple(suppressed)
    alone: Iterator[Finding] = iter(findings_in(files))
    found = [m for m in schema_messages(alone) if not any(one.covers(m) for one in silenced)]
    found += analyze(world, suppressed=silenced)
    return sorted(found, key=lambda m: (-m.severity, m.origin.path, m.origin.line, m.resource, m.code))
