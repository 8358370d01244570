from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from discovery.engine import Database
from discovery.schema.decode import decode
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Kind, Object, ObjectKey, Origin
from discovery.store.cells import (
    ADDRESS,
    CLUSTER,
    HOST,
    MESH,
    NAMES,
    NAMESPACES,
    OBJECT,
    SLICES,
    ClusterFacts,
    InNamespace,
    ServiceName,
)
from discovery.store.state import ObjectChange, Store, StoreCommit
from tests.kit.manifests import istio, one, slice_document

CELLS = (OBJECT, NAMES, NAMESPACES, SLICES, ADDRESS, HOST, MESH, CLUSTER)


def put(*objects: Object) -> list[ObjectChange]:
    return [ObjectChange(obj.key, obj) for obj in objects]


def gone(*objects: Object) -> list[ObjectChange]:
    return [ObjectChange(obj.key, None) for obj in objects]


def inputs(store: Store) -> dict[str, dict[Any, Any]]:
    """All inputs that are not at their default."""
    return {
        cell.name: {key: node.value for key, node in store.db.tables[cell].items() if node.value != cell.default}
        for cell in CELLS
    }


def service(name: str = "web", namespace: str = "shop", *, port: int = 80) -> Object:
    metadata = f"{{name: {name}, namespace: {namespace}}}"
    return one(f"{{apiVersion: v1, kind: Service, metadata: {metadata}, spec: {{ports: [{{port: {port}}}]}}}}")


def endpoint_slice(service_name: str, count: int, *, suffix: str = "1", namespace: str = "shop") -> Object:
    document = slice_document(service_name, endpoints=count, suffix=suffix, namespace=namespace)
    return decode(document).objects[0]


def entry(name: str, *, hosts: str = "[a.example]", address: str = "10.9.0.1", port: int = 80) -> Object:
    ports = f"[{{number: {port}, name: http, protocol: HTTP}}]"
    spec = f"{{hosts: {hosts}, resolution: STATIC, ports: {ports}, endpoints: [{{address: {address}}}]}}"
    return istio(Kind.SERVICE_ENTRY, spec, name=name)


def candidates() -> st.SearchStrategy[Object]:
    namespaces = st.sampled_from(["shop", "bank"])
    names = st.sampled_from(["a", "b"])
    numbers = st.integers(0, 3)
    return st.one_of(
        st.builds(lambda n, s, p: service(n, s, port=p + 1), names, namespaces, numbers),
        st.builds(lambda n, c, x, s: renamed(n, c, x, s), names, numbers, st.sampled_from("12"), namespaces),
        st.builds(lambda n, p: entry(n, hosts=f"[h{p}.example, X.example]", address=f"10.9.0.{p}"), names, numbers),
        st.builds(
            lambda n, p, s: istio(Kind.WORKLOAD_ENTRY, f"{{address: 10.8.0.{p}}}", name=n, namespace=s),
            names, numbers, namespaces,
        ),
    )  # fmt: skip


def renamed(service_name: str, count: int, suffix: str, namespace: str) -> Object:
    """A slice whose name does not tell its service, so that histories also move slices between services."""
    obj = endpoint_slice(service_name, count, namespace=namespace)
    key = ObjectKey(Kind.ENDPOINT_SLICE, namespace, f"slice-{suffix}")
    return msgspec.structs.replace(obj, key=key, meta=msgspec.structs.replace(obj.meta, name=key.name))


@given(st.lists(st.lists(st.tuples(candidates(), st.booleans()), max_size=4), max_size=8))
def test_any_history_leaves_the_inputs_of_a_fresh_store(history: list[list[tuple[Object, bool]]]) -> None:
    """However the objects came to be, the inputs equal those of a store that got them at once."""
    store = Store(Database())
    for batch in history:
        store.apply([ObjectChange(obj.key, obj if there else None) for obj, there in batch])
    fresh = Store(Database())
    fresh.apply(put(*store.objects.values()))
    assert inputs(store) == inputs(fresh)


def test_indexes_hold_what_objects_say() -> None:
    """Names, namespaces, hosts, addresses and slices are found by the keys that selection uses."""
    store = Store(Database())
    web, slices, external = service(), endpoint_slice("web", 2), entry("ext", hosts="[A.example, b.example]")
    store.apply(put(web, slices, external))
    db = store.db
    assert NAMES(db, InNamespace(Kind.SERVICE, "shop")) == {"web"}
    assert NAMESPACES(db, Kind.SERVICE) == {"shop"}
    assert HOST(db, "web.shop.svc.cluster.local") == {web.key}
    assert HOST(db, "a.example") == HOST(db, "b.example") == {external.key}
    assert ADDRESS(db, "10.0.0.2") == {slices.key}
    assert ADDRESS(db, "10.9.0.1") == {external.key}
    assert SLICES(db, ServiceName("shop", "web")) == {slices.key}


def test_domain_of_the_cluster_is_in_the_hosts() -> None:
    """The host of a Kubernetes Service ends in the cluster's domain."""
    store = Store(Database(), cluster=ClusterFacts(domain="example.org"))
    store.apply(put(service()))
    assert HOST(store.db, "web.shop.svc.example.org")
    assert CLUSTER(store.db, None).domain == "example.org"


def test_a_change_touches_only_its_index_keys() -> None:
    """One endpoint more in one slice changes that object and that address, nothing else."""
    store = Store(Database())
    store.apply(put(service(), endpoint_slice("web", 2), endpoint_slice("other", 9)))
    done = store.apply(put(endpoint_slice("web", 10)))
    changed = {(node.cell.name, node.key) for node in done.commit.changed}
    assert {name for name, _ in changed} == {"object", "address"}
    assert len(changed) == 1 + 8
    assert done.endpoints_only


def test_writes_that_nobody_reads_are_no_commit() -> None:
    """Another resourceVersion or line is remembered for people, and no query hears of it."""
    store = Store(Database())
    obj = service()
    store.apply(put(obj))
    moved = msgspec.structs.replace(
        obj, origin=Origin(path="a.yaml", line=9), meta=msgspec.structs.replace(obj.meta, resource_version="7")
    )
    done = store.apply(put(moved))
    assert (done.commit.changed, done.kinds, done.endpoints_only) == ((), frozenset(), False)
    assert store.objects[obj.key].origin.line == 9


def test_endpoints_only_is_about_endpoints_only() -> None:
    """Slices, workload entries, and service entries that differ only in endpoints; anything else is not."""
    store = Store(Database())
    assert not store.apply(put(entry("e"))).endpoints_only
    assert store.apply(put(entry("e", address="10.9.0.2"))).endpoints_only
    assert not store.apply(put(entry("e", address="10.9.0.2", port=81))).endpoints_only
    assert store.apply(put(istio(Kind.WORKLOAD_ENTRY, "{address: 10.8.0.1}"))).endpoints_only
    assert not store.apply(put(service(), endpoint_slice("web", 1))).endpoints_only
    assert store.apply(gone(endpoint_slice("web", 1))).endpoints_only


def test_of_several_changes_to_one_object_the_last_counts() -> None:
    """A batch is coalesced: added and deleted in one batch means nothing happened."""
    store = Store(Database())
    done = store.apply([*put(service()), *gone(service())])
    assert done.commit.changed == ()
    assert store.objects == {}


def test_subscribers_hear_of_changes_until_they_leave() -> None:
    """Commits that change nothing are not announced."""
    store = Store(Database())
    heard: list[StoreCommit] = []
    leave = store.subscribe(heard.append)
    store.apply(put(service()))
    store.apply(put(service()))
    store.set_mesh(MeshConfig(trust_domain="example.org"))
    store.set_mesh(MeshConfig(trust_domain="example.org"))
    leave()
    store.apply(gone(service()))
    assert [(done.kinds, done.mesh) for done in heard] == [(frozenset({Kind.SERVICE}), False), (frozenset(), True)]
