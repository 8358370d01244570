"""The mesh configuration of a cluster: ConfigMap ``istio`` or ``istio-<revision>``, over a shared one if there is one.

As with a file, what cannot be understood or goes away leaves the last good configuration in force.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from discovery.kube.envelope import Name
from discovery.kube.errors import NotFoundError
from discovery.kube.informer import Informer, Selection
from discovery.kube.reflector import Reader
from discovery.kube.resources import CONFIG_MAPS
from discovery.kube.timing import Timing
from discovery.runtime.logs import get_logger
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.findings import Finding, Severity
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import YamlError, parse_yaml
from discovery.sources.kubernetes_scope import DEFAULT_REVISION

__all__ = ["KubernetesMeshSource", "mesh_config_map", "read_mesh"]

_MESH: Final = "mesh"
_NETWORKS: Final = "meshNetworks"
_STAYS: Final = "its last good content stays in force until a restart"
SetMesh = Callable[[MeshConfig], object]  # ``Store.set_mesh``


class _ConfigMap(msgspec.Struct, frozen=True):
    data: Mapping[str, str] | None = None


_DECODER: Final = msgspec.json.Decoder(_ConfigMap)


def mesh_config_map(revision: str) -> str:
    """The name of the ConfigMap of a revision."""
    return f"istio-{revision}" if revision and revision != DEFAULT_REVISION else "istio"


def read_mesh(
    shared: Mapping[str, str], own: Mapping[str, str], *, origin: Origin
) -> tuple[MeshConfig | None, tuple[Finding, ...]]:
    """The configuration that the data of two ConfigMaps describe, and what is wrong with it; None if it is of no use.

    Fields of the own one count; ``defaultConfig`` is merged field by field and ``extensionProviders`` by name.
    """
    findings: list[Finding] = []
    documents: list[dict[str, Any]] = []
    for data in (shared, own):
        try:
            document = parse_yaml(data.get(_MESH, ""))
        except YamlError as error:
            findings.append(Finding("MeshConfig", "", f"no valid YAML: {error.problem}", origin=origin))
            continue
        if document is None or isinstance(document, dict):
            documents.append(document or {})
        else:
            findings.append(Finding("MeshConfig", "", f"want an object, got {document!r}", origin=origin))
        if _names_networks(data):
            text = "networks of this mesh are not read: every workload is taken to be in its own cluster's network"
            findings.append(Finding("MeshConfig", _NETWORKS, text, severity=Severity.WARNING, origin=origin))
    if len(documents) < 2:
        return None, tuple(findings)
    mesh, more = decode_mesh_config(_merged(*documents), origin=origin)
    return mesh, (*findings, *more)


def _names_networks(data: Mapping[str, str]) -> bool:
    """Whether the data name networks."""
    with suppress(YamlError):
        document = parse_yaml(data.get(_NETWORKS, ""))
        return isinstance(document, dict) and bool(document.get("networks"))
    return True


def _merged(shared: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    merged = {**shared, **own}
    below, above = shared.get("defaultConfig"), own.get("defaultConfig")
    if isinstance(below, dict) and isinstance(above, dict):
        merged["defaultConfig"] = {**below, **above}
    under, over = shared.get("extensionProviders"), own.get("extensionProviders")
    if isinstance(under, list) and isinstance(over, list):
        merged["extensionProviders"] = [*under, *over]
    return merged


class KubernetesMeshSource:
    """Keeps the store's mesh configuration level with ConfigMaps.

    Args:
        client: asks the API server.
        set_mesh: ``Store.set_mesh``.
        timing: time and chance.
        namespace: of the control plane.
        name: of our ConfigMap; it need not exist, then defaults hold.
        shared: name of the one below it; empty: none.
    """

    name = "mesh configuration of the cluster"

    def __init__(
        self,
        client: Reader,
        set_mesh: SetMesh,
        timing: Timing,
        *,
        namespace: str,
        name: str,
        shared: str = "",
    ) -> None:
        self.synced = asyncio.Event()
        self.findings: tuple[Finding, ...] = ()
        self._client = client
        self._set_mesh = set_mesh
        self._namespace = namespace
        self._names = tuple(dict.fromkeys(filter(None, (shared, name))))
        self._own = name
        self._origin = Origin(f"ConfigMap {namespace}/{name}")
        self._data: dict[str, Mapping[str, str]] = {}
        self._applied: MeshConfig | None = None
        self._log = get_logger("config")
        self._informers = [
            Informer(
                client,
                CONFIG_MAPS,
                _data,
                timing,
                selection=Selection(namespace, fields=f"metadata.name={each}"),
            )
            for each in self._names
        ]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held: watches live in ``run``."""

    async def load(self) -> None:
        """Read the configuration once; without ConfigMaps the defaults stay.

        Raises:
            KubeError: that there are none cannot be told.
        """
        for name in self._names:
            try:
                self._data[name] = _data(await self._client.get(CONFIG_MAPS.object(self._namespace, name)))
            except NotFoundError:
                self._log.info("no mesh configuration in the cluster", config_map=name, namespace=self._namespace)
        self._apply()
        self.synced.set()

    async def run(self) -> None:
        """Follow the ConfigMaps until cancelled."""
        for informer in self._informers:
            informer.subscribe(lambda changes: self._heard({c.key: c.new for c in changes}))
        async with asyncio.TaskGroup() as group:
            for informer in self._informers:
                group.create_task(informer.run(), name=informer.name)

    def _heard(self, changes: Mapping[Name, Mapping[str, str] | None]) -> None:
        for key, data in changes.items():
            if key.name not in self._names:
                continue
            if data is None:
                what = f"ConfigMap {key.namespace}/{key.name} is gone"
                self._tell((Finding("MeshConfig", "", what, _STAYS, Severity.WARNING, self._origin),))
            elif data != self._data.get(key.name):
                self._data[key.name] = data
                self._apply()

    def _apply(self) -> None:
        if not self._data:
            return
        own = self._data.get(self._own, {})
        shared = next((data for name, data in self._data.items() if name != self._own), {})
        mesh, findings = read_mesh(shared, own, origin=self._origin)
        if mesh is not None and mesh != self._applied:
            self._applied = mesh
            self._set_mesh(mesh)
        self._tell(findings)

    def _tell(self, findings: tuple[Finding, ...]) -> None:
        for finding in findings:
            if finding not in self.findings:
                self._log.warning("mesh configuration problem", finding=str(finding))
        self.findings = findings


def _data(raw: bytes) -> Mapping[str, str]:
    return _DECODER.decode(raw).data or {}
