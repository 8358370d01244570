"""Which objects, and which of their fields, a resource would be different without.

What was read while a resource was rendered is recorded, but not all that is read matters. So we ask the database
itself: in a fork, take the object (or one field) away and render again. Equal bytes: it was only consulted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from discovery.engine import Database
from discovery.schema.decode import decode
from discovery.schema.manifest import Manifest
from discovery.schema.meta import Object, ObjectKey
from discovery.store.cells import OBJECT
from discovery.translate.tables import ResourceRef

__all__ = ["Influence"]

_MAX_DEPTH: Final = 6

Way = tuple[str | int, ...]
Find = Callable[[Database], ResourceRef | None]


class Influence:
    """Asks what-if questions about one resource. The original database never notices.

    ``enough`` is asked before each question; once it says so, nothing more is found out.
    """

    def __init__(self, db: Database, find: Find, *, enough: Callable[[], bool]) -> None:
        """``find`` says where a database renders the resource: what is visible may itself depend on an object."""
        self._fork = db.fork()
        self._find = find
        self._enough = enough
        self._actual = self._render()

    def decides(self, key: ObjectKey) -> bool | None:
        """Whether the resource would be different without the object; None: not found out."""
        return self._differs_with(key, None)

    def fields(self, obj: Object) -> list[str]:
        """The fields of an object that decide: as deep as what they hold decides on its own.

        Only of objects that are kept as they were written; in the order in which they stand there.
        """
        if not isinstance(obj.raw, Manifest):
            return []
        document = dict(obj.raw)
        return [_told(way) for way in self._deciding(obj, document, ("spec",)) if len(way) > 1]

    def _deciding(self, obj: Object, document: dict[str, Any], way: Way) -> Iterator[Way]:
        """Ways below ``way`` to what decides; ``way`` itself where no part of it does."""
        found = False
        for part in _parts(_at(document, way)) if len(way) < _MAX_DEPTH else ():
            below = (*way, part)
            if self._field_decides(obj, document, below):
                found = True
                yield from self._deciding(obj, document, below)
        if not found:
            yield way

    def _field_decides(self, obj: Object, document: dict[str, Any], way: Way) -> bool:
        read = decode(_without(document, way), origin=obj.origin, namespace=obj.namespace)
        if not read.objects:
            return True  # the object is not valid without it
        return bool(self._differs_with(obj.key, read.objects[0]))

    def _differs_with(self, key: ObjectKey, instead: Object | None) -> bool | None:
        if self._enough():
            return None
        actual = OBJECT(self._fork, key)
        self._fork.commit([(OBJECT, key, instead)])
        try:
            return self._render() != self._actual
        finally:
            self._fork.commit([(OBJECT, key, actual)])

    def _render(self) -> bytes | None:
        try:
            ref = self._find(self._fork)
            resource = ref.query(self._fork, ref.key) if ref is not None else None
        except Exception:  # noqa: BLE001 - a what-if that cannot be rendered is an answer: it differs
            return b"fails"
        return resource.value if resource is not None else None


def _parts(value: Any) -> list[str] | range:
    if isinstance(value, dict):
        return list(value)
    return range(len(value)) if isinstance(value, list) else []


def _at(value: Any, way: Way) -> Any:
    for part in way:
        value = value[part] if not isinstance(value, dict) or part in value else None
    return value


def _without(value: Any, way: Way) -> Any:
    """A copy of the data in which what the way leads to is missing; parts off the way are shared with the original."""
    first, rest = way[0], way[1:]
    if isinstance(value, list):
        kept = [(at, item) for at, item in enumerate(value) if rest or at != first]
        return [_without(item, rest) if at == first else item for at, item in kept]
    kept_fields = {key: item for key, item in value.items() if rest or key != first}
    return {key: _without(item, rest) if key == first else item for key, item in kept_fields.items()}


def _told(way: Way) -> str:
    text = ""
    for part in way:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
