"""Cold rendering of the inputs that Istio's own benchmark renders, per resource type, for one proxy and for a second.

As upstream does, what upstream's push context holds (services, endpoints, the proxy's scope) is there before the clock
starts, only routes that listeners ask for are rendered, and every type starts cold: clusters rendered before do not
make routes cheaper. Needs the data set beside the checkout.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import yaml

from benchmarks.inprocess import QUESTIONS, UnavailableError, best_of
from benchmarks.loadgen.references import referenced_names
from benchmarks.rows import ISTIOD_RENDERING_MS, Row, row
from benchmarks.templates import expand
from discovery.engine import Database
from discovery.mesh.proxy import ProxyKey, ProxyView
from discovery.mesh.scope import egress_listeners
from discovery.mesh.warm import warm_selection
from discovery.schema.decode import decode
from discovery.schema.kinds import KINDS
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Object
from discovery.store.cells import ClusterFacts
from discovery.store.state import ObjectChange, Store
from discovery.translate.generators import MeshGenerators
from discovery.wire.node import NodeType
from discovery.wire.type_urls import CLUSTER, LISTENER, ROUTE

__all__ = ["rendering"]

_DATA = Path(__file__).resolve().parents[2] / "shared" / "conformance" / "bench"
_TYPES = {"listener": LISTENER, "cluster": CLUSTER, "route": ROUTE}
_ROUNDS = 5
_GENERATORS = MeshGenerators()
_FIRST = ProxyKey(
    type=NodeType.SIDECAR,
    ips=("1.1.1.1",),
    namespace="default",
    dns_domain="default.example.org",
    labels=(("istio.io/benchmark", "true"),),
    cluster_id="Kubernetes",
)
_SECOND = msgspec.structs.replace(_FIRST, ips=("1.1.1.2",))


class _Case(msgspec.Struct, frozen=True):
    """One input, filled in to its full size and decoded."""

    name: str
    types: tuple[str, ...]
    objects: tuple[Object, ...]
    unknown: tuple[str, ...]  # kinds that we do not serve

    def database(self) -> Database:
        """A fresh database that holds it."""
        store = Store(Database(), cluster=ClusterFacts())
        store.set_mesh(MeshConfig())
        store.apply([ObjectChange(obj.key, obj) for obj in self.objects])
        return store.db


def _load(case: Mapping[str, Any], defaults: Mapping[str, Any]) -> _Case:
    text = expand(
        (_DATA / case["template"]).read_text(), {"Services": case["services"], "Instances": case["instances"]}
    )
    objects: list[Object] = []
    unknown: set[str] = set()
    for document in yaml.load_all(text, yaml.CSafeLoader):
        decoded = decode(document, namespace=defaults["default_namespace"])
        objects += decoded.objects
        unknown.update(ignored.split()[1] for ignored in decoded.ignored)
        # What is read but not translated would make its rows cheaper than they are.
        unknown.update(str(obj.key.kind) for obj in decoded.objects if not KINDS[obj.key.kind].translated)
    types = tuple(case.get("types", defaults["types"]))
    return _Case(case["name"], types, tuple(objects), tuple(sorted(unknown)))


def _selected(case: _Case, proxy: ProxyKey) -> tuple[Database, ProxyView]:
    """A database in which nothing is rendered yet, only the proxy's scope is known."""
    db = case.database()
    warm_selection(db)
    view = _GENERATORS.view(db, proxy)
    egress_listeners(db, view.outbound.scope)
    gc.collect()
    return db, view


def _render(db: Database, view: ProxyView, type_url: str, names: frozenset[str] | None) -> int:
    """Render the resources of a type, or those named; gives how many bytes they have."""
    size = 0
    for table in _GENERATORS.tables(type_url, view, frozenset()):
        for name, reference in table.index(db, table.key).items():
            resource = reference.query(db, reference.key) if names is None or name in names else None
            size += len(resource.value) if resource is not None else 0
    return size


def _routes_wanted(case: _Case) -> frozenset[str]:
    """Route configurations that the proxy's listeners refer to, found in a database of its own."""
    db, view = _selected(case, _FIRST)
    wanted: set[str] = set()
    for table in _GENERATORS.tables(LISTENER, view, frozenset()):
        for reference in table.index(db, table.key).values():
            resource = reference.query(db, reference.key)
            if resource is not None:
                wanted.update(referenced_names(LISTENER, memoryview(resource.value)))
    return frozenset(wanted)


def _cold(case: _Case, type_url: str, names: frozenset[str] | None) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        db, view = _selected(case, _FIRST)
        return lambda: _render(db, view, type_url, names)

    return prepare


def _second(case: _Case, type_url: str, names: frozenset[str] | None) -> Callable[[], Callable[[], object]]:
    def prepare() -> Callable[[], object]:
        db, view = _selected(case, _FIRST)
        _render(db, view, type_url, names)
        other = _GENERATORS.view(db, _SECOND)
        return lambda: _render(db, other, type_url, names)

    return prepare


def _figures(case: _Case, kind: str) -> list[Row]:
    type_url = _TYPES[kind]
    names = _routes_wanted(case) if type_url == ROUTE else None
    db, view = _selected(case, _FIRST)
    size = _render(db, view, type_url, names)
    first_s = best_of(_ROUNDS, _cold(case, type_url, names))
    second_s = best_of(_ROUNDS, _second(case, type_url, names))
    title = "cold rendering, one proxy"
    name = f"render_{kind}_{case.name}"
    return [
        row(name, title, 1e3 * first_s, "ms"),
        row(f"{name}_second_proxy", title, 1e3 * second_s, "ms"),
        row(f"{name}_bytes", title, size / 1e3, "KB"),
    ]


def rendering(name: str) -> Sequence[Row]:
    """Rows of one case, for the types of which istiod's figure is known.

    Raises:
        UnavailableError: the data set is absent, or the case has a kind that is not served yet.
    """
    if not _DATA.is_dir():
        raise UnavailableError(f"no data set at {_DATA}")
    document = yaml.safe_load((_DATA / "cases.yaml").read_text())
    entry = next(entry for entry in document["cases"] if entry["name"] == name)
    case = _load(entry, document["defaults"])
    if case.unknown:
        raise UnavailableError(f"{', '.join(case.unknown)} not served")
    wanted = [kind for kind in _TYPES if f"render_{kind}_{name}" in ISTIOD_RENDERING_MS]
    return [row for kind in wanted for row in _figures(case, kind)]


for _name in sorted({key.split("_", 2)[2] for key in ISTIOD_RENDERING_MS}):
    QUESTIONS[f"rendering of {_name}"] = partial(rendering, _name)
