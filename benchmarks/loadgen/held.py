"""What a stream holds of one type, as an immutable value that equal streams share.

A thousand sidecars of one scope go through the same states. Each state is made once: applying the same batch to the
same state gives the same object, and with it everything derived from it (names, versions, encoded versions).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from weakref import WeakValueDictionary

from benchmarks.loadgen.messages import encode_versions
from benchmarks.loadgen.payload import Batch, Entry

__all__ = ["Held"]


class Held:
    """Resources by name. Never changed after it was made."""

    def __init__(self, entries: Mapping[str, Entry] | None = None) -> None:
        self.entries: Mapping[str, Entry] = entries or {}
        self._after: WeakValueDictionary[object, Held] = WeakValueDictionary()

    def apply(self, batch: Batch, *, replace: bool = False) -> Held:
        """The state after a batch; with ``replace`` the batch is all there is (CDS and LDS of SotW)."""
        if not batch.entries and not batch.removed and not replace:
            return self
        after = self._after.get(batch)
        if after is None:
            entries = {} if replace else dict(self.entries)
            entries.update((entry.name, entry) for entry in batch.entries)
            for name in batch.removed:
                entries.pop(name, None)
            after = self._after[batch] = Held(entries)
        return after

    def only(self, names: frozenset[str]) -> Held:
        """The state without what is not in ``names``."""
        if self.entries.keys() <= names:
            return self
        after = self._after.get(names)
        if after is None:
            after = self._after[names] = Held({n: e for n, e in self.entries.items() if n in names})
        return after

    @cached_property
    def references(self) -> frozenset[str]:
        """All names that the resources held make a proxy subscribe to."""
        return frozenset(name for entry in self.entries.values() for name in entry.references)

    @cached_property
    def prefixes(self) -> frozenset[str]:
        """Route configurations that the virtual hosts held belong to (the part before the last ``/``)."""
        return frozenset(name.rpartition("/")[0] for name in self.entries)

    @cached_property
    def using_vhds(self) -> frozenset[str]:
        """Names of the resources that refer to something: for route configurations, to VHDS."""
        return frozenset(name for name, entry in self.entries.items() if entry.references)

    @cached_property
    def versions(self) -> bytes:
        """``initial_resource_versions``, encoded."""
        return encode_versions({name: entry.version for name, entry in self.entries.items()})
