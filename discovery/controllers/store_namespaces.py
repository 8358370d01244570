"""The namespaces of the mesh as the store has them: a source puts in those that `discoverySelectors` choose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from discovery.schema.meta import Kind
from discovery.store.cells import NAMES, OBJECT, InNamespace
from discovery.store.state import Store, StoreCommit

__all__ = ["StoreNamespaces"]


class StoreNamespaces:
    """For controllers that write into every namespace."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def names(self) -> Collection[str]:
        """All of them."""
        return NAMES(self._store.db, InNamespace(Kind.NAMESPACE, ""))

    def subscribe(self, call: Callable[[Iterable[str]], None]) -> Callable[[], None]:
        """Have names told that came, went or changed; the result ends that."""

        def on_commit(done: StoreCommit) -> None:
            if Kind.NAMESPACE in done.kinds:
                changed = done.commit.changed
                call([n.key.name for n in changed if n.cell is OBJECT and n.key.kind is Kind.NAMESPACE])

        return self._store.subscribe(on_commit)
