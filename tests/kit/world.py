"""Configuration as a user writes it, through the real store and queries, to what one proxy is served.

    world = World(yaml_text, proxy=ProxyKey(...))
    world.resources(LISTENER)["0.0.0.0_80"]            # the decoded message

The text holds objects; a document of kind `MeshConfig` (fields beside `kind`) sets the mesh, one of kind `Proxy` sets
fields of `ProxyKey`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec
import yaml

from discovery.engine import Database
from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.schema.decode import decode
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.meta import ObjectKey, Origin
from discovery.store.cells import ClusterFacts
from discovery.store.state import ObjectChange, Store
from discovery.translate.generators import MeshGenerators
from discovery.wire.node import NodeType
from discovery.wire.resource import Resource
from discovery.wire.type_urls import CLUSTER, LISTENER, ROUTE
from tests.kit.envoy_types import decode as decode_message

__all__ = ["DEFAULT_PROXY", "World"]

DEFAULT_PROXY: Final = ProxyKey(
    type=NodeType.SIDECAR,
    ips=("10.9.9.9",),
    namespace="default",
    dns_domain="default.svc.cluster.local",
    cluster_id="Kubernetes",
)


class World:
    """A store with objects, and one proxy that asks for its configuration."""

    def __init__(self, text: str = "", *, proxy: ProxyKey = DEFAULT_PROXY, domain: str = "cluster.local") -> None:
        self.db = Database()
        self.store = Store(self.db, cluster=ClusterFacts(domain=domain))
        self.generators = MeshGenerators()
        self.proxy = proxy
        self.load(yaml.load_all(text, yaml.CSafeLoader))

    def load(self, documents: Iterable[Mapping[str, Any] | None]) -> None:
        """Add or replace what the documents say; they must be without findings."""
        changes = []
        for document in documents:
            kind = document.get("kind") if document else None
            if document is None or kind is None:
                continue
            fields = {key: value for key, value in document.items() if key != "kind"}
            if kind == "MeshConfig":
                self.set_mesh(fields)
            elif kind == "Proxy":
                self.proxy = msgspec.structs.replace(self.proxy, **_proxy_fields(fields))
            else:
                decoded = decode(document)
                assert not decoded.findings, [str(finding) for finding in decoded.findings]
                changes += [ObjectChange(obj.key, obj) for obj in decoded.objects]
        self.store.apply(changes)

    def set_mesh(self, fields: Mapping[str, Any]) -> None:
        """Set the mesh configuration: Istio's defaults, and these fields over them."""
        mesh, findings = decode_mesh_config(fields, origin=Origin())
        assert mesh is not None, [str(finding) for finding in findings]
        assert not findings, [str(finding) for finding in findings]
        self.store.set_mesh(mesh)

    def delete(self, key: ObjectKey) -> None:
        """Remove an object."""
        self.store.apply([ObjectChange(key, None)])

    @property
    def view(self) -> ProxyView:
        """What selection makes of the proxy."""
        return self.generators.view(self.db, self.proxy)

    def rendered(self, type_url: str, *, routes: Iterable[str] = ()) -> dict[str, Resource]:
        """All resources of a type, by name."""
        found: dict[str, Resource] = {}
        for table in self.generators.tables(type_url, self.view, frozenset(routes)):
            for name, ref in table.index(self.db, table.key).items():
                assert name not in found, f"two tables have {name}"
                resource = ref.query(self.db, ref.key)
                if resource is not None:
                    found[name] = resource
        return found

    def resources(self, type_url: str, *, routes: Iterable[str] = ()) -> dict[str, Any]:
        """The same, decoded."""
        rendered = self.rendered(type_url, routes=routes)
        return {name: decode_message(item.type_url, item.value) for name, item in rendered.items()}

    def listeners(self) -> dict[str, Any]:
        """Decoded listeners."""
        return self.resources(LISTENER)

    def clusters(self) -> dict[str, Any]:
        """Decoded clusters."""
        return self.resources(CLUSTER)

    def routes(self) -> dict[str, Any]:
        """Decoded route configurations."""
        return self.resources(ROUTE)


def _proxy_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of `ProxyKey` from YAML: lists become tuples, labels sorted pairs."""
    whole = dict(fields)
    if "labels" in whole:
        whole["labels"] = sorted(whole["labels"].items())
    present = {field.name: field.type for field in msgspec.structs.fields(ProxyKey)}
    return {name: msgspec.convert(value, present[name]) for name, value in whole.items()}
