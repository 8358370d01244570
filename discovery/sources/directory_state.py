"""Which version of each object a directory stands for: the newest good one of the first file that has it. Pure.

A file that cannot be understood never takes objects away: what it held keeps being served until it can be read again
or is gone. Where several files write the same object, the first one (by path, then line) counts and the others are
findings, so that every replica and every restart choose alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

from discovery.schema.findings import Finding
from discovery.schema.meta import Object, ObjectKey, Origin
from discovery.sources.documents import FileContent
from discovery.store.state import ObjectChange
from discovery.validation.loading import untranslated

__all__ = ["DirectoryState"]


class _FileState(NamedTuple):
    objects: Mapping[ObjectKey, Object]  # as the file has them now
    kept: Mapping[ObjectKey, Object]  # as the file had them when it could last be understood
    repeated: tuple[Object, ...]  # written again further down in the same file


class DirectoryState:
    """What is known of the files of a directory. One task owns it."""

    def __init__(self) -> None:
        self._contents: dict[str, FileContent] = {}
        self._files: dict[str, _FileState] = {}
        self._faulty: dict[str, None] = {}  # files with findings of their own
        self._holders: dict[ObjectKey, dict[str, None]] = {}  # files that have or keep an object
        self._serving: dict[ObjectKey, Object] = {}
        self._contested: dict[ObjectKey, None] = {}

    @property
    def contents(self) -> Mapping[str, FileContent]:
        """The files as they were read last; a live view."""
        return MappingProxyType(self._contents)

    def update(self, read: Iterable[FileContent], gone: Iterable[str] = ()) -> tuple[ObjectChange, ...]:
        """Take in files that were read anew and files that do not exist any more; gives what that changes."""
        touched: dict[ObjectKey, None] = {}
        for path in gone:
            old = self._files.pop(path, None)
            self._contents.pop(path, None)
            self._faulty.pop(path, None)
            if old is not None:
                touched.update(dict.fromkeys((*old.objects, *old.kept)))
                self._hold(path, old, None)
        for content in read:
            old = self._files.get(content.path)
            new = _file_state(content, old)
            self._files[content.path] = new
            self._contents[content.path] = content
            if new.repeated or any(_findings(content)):
                self._faulty[content.path] = None
            else:
                self._faulty.pop(content.path, None)
            touched.update(dict.fromkeys((*new.objects, *new.kept)))
            if old is not None:
                touched.update(dict.fromkeys((*old.objects, *old.kept)))
            self._hold(content.path, old, new)
        return tuple(change for key in touched if (change := self._choose(key)) is not None)

    def _hold(self, path: str, old: _FileState | None, new: _FileState | None) -> None:
        before = {*old.objects, *old.kept} if old else set()
        after = {*new.objects, *new.kept} if new else set()
        for key in before - after:
            holders = self._holders[key]
            del holders[path]
            if not holders:
                del self._holders[key]
        for key in after - before:
            self._holders.setdefault(key, {})[path] = None

    def _choose(self, key: ObjectKey) -> ObjectChange | None:
        """Decide which version of an object counts now; None when nothing changes."""
        paths = sorted(self._holders.get(key, ()))
        written = [path for path in paths if key in self._files[path].objects]
        if len(written) > 1:
            self._contested[key] = None
        else:
            self._contested.pop(key, None)
        chosen: Object | None = None
        if written:
            chosen = self._files[written[0]].objects[key]
        elif paths:
            chosen = self._files[paths[0]].kept[key]
        if chosen is self._serving.get(key):
            return None
        if chosen is None:
            del self._serving[key]
        else:
            self._serving[key] = chosen
        return ObjectChange(key, chosen)

    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with the files now, by path and line."""
        found: list[Finding] = []
        for path in self._faulty:
            found.extend(_findings(self._contents[path]))
            found.extend(_duplicate(obj, self._serving[obj.key].origin) for obj in self._files[path].repeated)
        for key in self._contested:
            chosen = self._serving[key]
            others = (self._files[path].objects.get(key) for path in self._holders[key])
            found.extend(_duplicate(other, chosen.origin) for other in others if other and other is not chosen)
        found.extend(untranslated(self._serving))
        return tuple(sorted(found, key=lambda finding: (finding.origin.path, finding.origin.line)))


def _file_state(content: FileContent, old: _FileState | None) -> _FileState:
    objects: dict[ObjectKey, Object] = {}
    repeated: list[Object] = []
    broken: set[ObjectKey] = set()
    for document in content.documents:
        broken.update(document.broken)
        for obj in document.objects:
            if obj.key in objects:
                repeated.append(obj)
            else:
                objects[obj.key] = obj
    kept: dict[ObjectKey, Object] = {}
    if old is not None and (broken or content.partly_unreadable):
        missing = {key: obj for key, obj in {**old.kept, **old.objects}.items() if key not in objects}
        kept = missing if content.partly_unreadable else {key: missing[key] for key in broken if key in missing}
    return _FileState(objects, kept, tuple(repeated))


def _findings(content: FileContent) -> Iterator[Finding]:
    """What is wrong within a file."""
    yield from content.findings
    for document in content.documents:
        yield from document.findings


def _duplicate(obj: Object, first: Origin) -> Finding:
    return Finding(
        str(obj.key), "", f"the object is written at {first} too, which counts", "remove one of them", origin=obj.origin
    )
