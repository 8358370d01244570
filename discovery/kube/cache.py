"""The objects of one collection as they were last seen, and what each thing read changes about them. Pure.

An object is decoded only when it is for us and not the version that we have: looking at everything again costs next to
nothing where nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, TypeVar

from discovery.kube.envelope import Item, Meta, Name

__all__ = ["Cache", "Change"]

T = TypeVar("T")


class Change(NamedTuple, Generic[T]):
    """What became of an object; None: there is none. Both the same: look at it again (resync)."""

    key: Name
    old: T | None
    new: T | None


class _Entry(NamedTuple, Generic[T]):
    uid: str
    version: str
    value: T
    ahead: bool = False  # read on its own, so the watch may still tell of older versions


class Cache(Generic[T]):
    """Holds decoded objects by name and by namespace.

    Args:
        decode: makes the value of an object; None: it is not for us.
        accepts: by the metadata alone, whether an object is for us.
        settle: of an object's old and new value, what to hold; the new one if not given.
    """

    def __init__(
        self,
        decode: Callable[[Item], T | None],
        accepts: Callable[[Meta], bool],
        settle: Callable[[T, T], T] = lambda _, new: new,
    ) -> None:
        self.decoded = 0
        self._decode = decode
        self._accepts = accepts
        self._settle = settle
        self._entries: dict[Name, _Entry[T]] = {}
        self._by_namespace: dict[str, dict[Name, None]] = {}
        self._unseen: dict[Name, None] | None = None  # while all objects are being looked at: those not met yet
        self._reading: dict[str, set[Name]] = {}  # namespaces that are read on their own -> what was deleted meanwhile

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Name) -> T | None:
        """The object of that name."""
        entry = self._entries.get(key)
        return entry.value if entry is not None else None

    def values(self, namespace: str | None = None) -> Iterator[tuple[Name, T]]:
        """All objects, or those of a namespace."""
        keys: Iterable[Name] = self._entries if namespace is None else self._by_namespace.get(namespace, ())
        for key in tuple(keys):
            yield key, self._entries[key].value

    def begin(self) -> None:
        """All objects follow."""
        self._unseen = dict.fromkeys(self._entries)

    def end(self) -> list[Change[T]]:
        """These were all: the others are gone."""
        unseen, self._unseen = self._unseen or {}, None
        return [change for key in unseen if (change := self._drop(key)) is not None]

    def put(self, item: Item) -> Change[T] | None:
        """An object as it is now; what that changes, if anything."""
        key = item.meta.key
        old = self._entries.get(key)
        if self._unseen is not None:
            self._unseen.pop(key, None)
        if old is not None and old.ahead and _older(item.meta.resource_version, old.version):
            return None
        return self._set(item, ahead=False)

    def remove(self, meta: Meta) -> Change[T] | None:
        """An object was deleted."""
        deleted = self._reading.get(meta.namespace)
        if deleted is not None:
            deleted.add(meta.key)
        if self._unseen is not None:
            self._unseen.pop(meta.key, None)
        return self._drop(meta.key)

    def begin_namespace(self, namespace: str) -> None:
        """The objects of a namespace will be read on their own, while the watch goes on."""
        self._reading[namespace] = set()

    def put_read(self, item: Item) -> Change[T] | None:
        """An object of such a namespace. What the watch told meanwhile counts if it is newer."""
        key = item.meta.key
        old = self._entries.get(key)
        if key in self._reading.get(item.meta.namespace, ()):
            return None
        if old is not None and not _older(old.version, item.meta.resource_version):
            return None
        return self._set(item, ahead=True)

    def end_namespace(self, namespace: str) -> None:
        """The namespace has been read, or that was given up."""
        self._reading.pop(namespace, None)

    def drop_namespace(self, namespace: str) -> list[Change[T]]:
        """Forget the objects of a namespace."""
        keys = tuple(self._by_namespace.get(namespace, ()))
        return [change for key in keys if (change := self._drop(key)) is not None]

    def _set(self, item: Item, *, ahead: bool) -> Change[T] | None:
        meta = item.meta
        old = self._entries.get(meta.key)
        if not self._accepts(meta):
            return self._drop(meta.key)
        if old is not None and (old.uid, old.version) == (meta.uid, meta.resource_version) and meta.resource_version:
            return None
        self.decoded += 1
        value = self._decode(item)
        if value is None:
            return self._drop(meta.key)
        if old is not None:
            value = self._settle(old.value, value)
        self._entries[meta.key] = _Entry(meta.uid, meta.resource_version, value, ahead)
        self._by_namespace.setdefault(meta.namespace, {})[meta.key] = None
        return Change(meta.key, old.value if old is not None else None, value)

    def _drop(self, key: Name) -> Change[T] | None:
        old = self._entries.pop(key, None)
        if old is None:
            return None
        names = self._by_namespace[key.namespace]
        del names[key]
        if not names:
            del self._by_namespace[key.namespace]
        return Change(key, old.value, None)


def _older(version: str, than: str) -> bool:
    """Whether a resourceVersion came before another; where they are no numbers nobody can tell.

    Spec: https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions
    """
    if version.isdecimal() and than.isdecimal():
        return int(version) < int(than)
    return False
