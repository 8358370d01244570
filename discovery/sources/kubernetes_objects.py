"""Which version of each object a cluster stands for: the newest good one. Pure.

An object that cannot be understood never takes away what it was before: its last good version is served until it is
good again or gone, and its owner gets a finding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from discovery.kube.cache import Change
from discovery.schema.conditions import ObjectState, read_state
from discovery.schema.decode import Decoded, decode_json
from discovery.schema.findings import Finding
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind, Object, ObjectKey, Origin
from discovery.store.state import ObjectChange
from discovery.validation.loading import accepted, untranslated

__all__ = ["ClusterFindings", "Served", "change_of", "decoder_of", "last_good"]

# Nothing we do depends on annotations of these; other controllers write them all the time, and they are large.
_WITHOUT_ANNOTATIONS: Final = frozenset({Kind.POD, Kind.NODE, Kind.ENDPOINT_SLICE})


class Served(msgspec.Struct, frozen=True, gc=False):
    """An object as the cluster has it: what is served of it, and what is wrong with it."""

    object: Object | None  # None: no version of it was ever good
    findings: tuple[Finding, ...] = ()
    state: ObjectState | None = None  # of its newest version; None for kinds that get no conditions


def decoder_of(kind: Kind, origin: Origin) -> Callable[[bytes], Served]:
    """Reads the JSON of objects of a kind as an API server sends it, and judges them as every source does."""
    if KINDS[kind].whole:
        bare = kind in _WITHOUT_ANNOTATIONS
        return lambda raw: _served(decode_json(kind, raw, origin=origin), bare=bare)
    return lambda raw: _served(accepted(decode_json(kind, raw, origin=origin)), state=read_state(raw))


def last_good(old: Served, new: Served) -> Served:
    """What to serve after a new version was read."""
    return new if new.object is not None else Served(old.object, new.findings, new.state)


def change_of(kind: Kind, change: Change[Served]) -> ObjectChange | None:
    """What a change in the cluster changes in the store; None: nothing."""
    old = change.old.object if change.old is not None else None
    new = change.new.object if change.new is not None else None
    return ObjectChange(ObjectKey(kind, *change.key), new) if new is not old else None


def _served(decoded: Decoded, *, bare: bool = False, state: ObjectState | None = None) -> Served:
    if not decoded.objects:
        return Served(None, decoded.findings, state)
    (obj,) = decoded.objects
    if bare and obj.meta.annotations:
        obj = msgspec.structs.replace(obj, meta=msgspec.structs.replace(obj.meta, annotations={}))
    return Served(obj, decoded.findings, state)


class ClusterFindings:
    """What is wrong with the objects of a cluster. One task owns it."""

    def __init__(self) -> None:
        self._findings: dict[ObjectKey, tuple[Finding, ...]] = {}

    def heard(self, kind: Kind, changes: Iterable[Change[Served]]) -> tuple[Finding, ...]:
        """Objects changed; findings about them that are new."""
        fresh: list[Finding] = []
        for change in changes:
            key = ObjectKey(kind, *change.key)
            before = self._findings.pop(key, ())
            if change.new is not None and change.new.findings:
                self._findings[key] = change.new.findings
                fresh.extend(finding for finding in change.new.findings if finding not in before)
        return tuple(fresh)

    def forget(self, kind: Kind) -> None:
        """The kind is not read any more."""
        for key in [key for key in self._findings if key.kind is kind]:
            del self._findings[key]

    def all(self, kinds: Iterable[Kind]) -> tuple[Finding, ...]:
        """What is wrong now, by object, then about the kinds of which there are objects."""
        of_objects = [finding for key in sorted(self._findings) for finding in self._findings[key]]
        return (*of_objects, *untranslated(ObjectKey(kind, "", "") for kind in kinds))
