from __future__ import annotations

from discovery.controllers.store_namespaces import StoreNamespaces
from discovery.engine import Database
from discovery.schema.kubernetes import Namespace, Pod
from discovery.schema.meta import Kind, Object, ObjectKey, ObjectMeta
from discovery.store.state import ObjectChange, Store


def put(store: Store, name: str, *, there: bool = True, label: str = "") -> None:
    key = ObjectKey(Kind.NAMESPACE, "", name)
    meta = ObjectMeta(name=name, labels={"a": label} if label else {})
    store.apply([ObjectChange(key, Object(key=key, meta=meta, spec=Namespace()) if there else None)])


def test_names_follow_the_store() -> None:
    """What the source does not select is not there."""
    store = Store(Database())
    namespaces = StoreNamespaces(store)
    put(store, "shop")
    put(store, "bank")
    put(store, "shop", there=False)
    assert set(namespaces.names()) == {"bank"}


def test_changes_are_told_by_name() -> None:
    """Those that came, went or changed; other kinds are no news, and who has had enough hears nothing."""
    store = Store(Database())
    told: list[str] = []
    end = StoreNamespaces(store).subscribe(told.extend)
    put(store, "shop")
    put(store, "shop", label="x")
    put(store, "shop", label="x")
    pod = ObjectKey(Kind.POD, "shop", "p")
    store.apply([ObjectChange(pod, Object(key=pod, meta=ObjectMeta(name="p", namespace="shop"), spec=Pod()))])
    put(store, "shop", there=False)
    end()
    put(store, "bank")
    assert told == ["shop", "shop", "shop"]
