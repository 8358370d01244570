"""Values as templates see them: what is true, how each is shown, and what stands behind a field's name.

Templates were written against Go's structs (``.ObjectMeta.Labels``, ``.ProxyConfig.GetConcurrency``), but we hold the
JSON documents that these structs are made from. A ``Record`` is such a document under Go's names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["NO_VALUE", "UNSET", "Absent", "Record", "Root", "StringMap", "field", "plain", "show", "truth"]


class Absent:
    """What is not there; false in every test. ``shown`` is what it prints as."""

    __slots__ = ("shown",)

    def __init__(self, shown: str) -> None:
        self.shown = shown

    def __bool__(self) -> bool:
        return False


NO_VALUE: Final = Absent("<no value>")
"""A key that a map does not have."""

UNSET: Final = Absent("")
"""A field of a struct that was not written, of whatever type; it equals that type's zero."""


class StringMap(dict[str, Any]):
    """A map of texts: a key that it does not have gives the empty text."""


# Members that are maps of users' keys, not structs of fields.
_MAPS: Final = frozenset(
    {"labels", "annotations", "nodeSelector", "matchLabels", "proxyMetadata", "runtimeValues", "limits", "requests",
     "customTags", "environmentVariables"}
)  # fmt: skip
_SELF: Final = frozenset({"GetValue", "Value", "String", "AsDuration", "AsMap"})  # methods of wrappers and enums


def _folded(name: str) -> str:
    return name.replace("_", "").lower()


class Record:
    """A JSON document under Go's names: ``HostIP`` and ``GetHostIP`` are ``hostIP``."""

    __slots__ = ("_names", "document")

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.document = document
        self._names: dict[str, str] | None = None

    def get(self, name: str) -> Any:
        """The field's value, UNSET if it was not written."""
        if self._names is None:
            self._names = {_folded(key): key for key in self.document}
        folded = _folded(name)
        key = self._names.get(folded)
        if key is None and name.startswith("Get"):
            key = self._names.get(folded[3:])
        return UNSET if key is None else _wrapped(self.document[key], key)


class Root:
    """What a template is applied to: exactly these names."""

    __slots__ = ("members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self.members = members


def _wrapped(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return StringMap(value) if key in _MAPS else Record(value)
    if isinstance(value, list | tuple):
        return [_wrapped(item, "") for item in value]
    return UNSET if value is None else value


def field(value: Any, name: str) -> Any:
    """The field or key ``name`` of a value.

    Raises:
        LookupError: a value of that kind has no fields, or not that one.
    """
    if isinstance(value, Record):
        return value.get(name)
    if isinstance(value, Root):
        if name not in value.members:
            raise LookupError(f"there is no .{name}; there are {', '.join(sorted(value.members))}")
        return value.members[name]
    if isinstance(value, Mapping):
        return value.get(name, "" if isinstance(value, StringMap) else NO_VALUE)
    if isinstance(value, Absent):
        return value
    if value is None:
        return NO_VALUE
    if name in _SELF:
        return value
    raise LookupError(f"{kind_of(value)} has no field .{name}")


def kind_of(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, list | tuple):
        return "a list"
    return "nothing" if value is None or isinstance(value, Absent) else "an object"


def truth(value: Any) -> bool:
    """Whether ``if`` takes it: not empty, not zero, not absent. A struct always is."""
    return True if isinstance(value, Record | Root) else bool(value)


def plain(value: Any) -> Any:
    """The same as JSON data: records are their documents, what is absent is null."""
    if isinstance(value, Record):
        return plain(value.document)
    if isinstance(value, Root):
        return plain(value.members)
    if isinstance(value, Absent):
        return None
    if isinstance(value, Mapping):
        return {key: plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def show(value: Any) -> str:
    """As ``fmt.Sprint`` prints it."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Absent):
        return value.shown
    if value is None:
        return "<nil>"
    if isinstance(value, float):
        return _show_float(value)
    return "".join(_show_container(value)) if isinstance(value, Record | Root | Mapping | list | tuple) else str(value)


def _show_container(value: Any) -> Iterator[str]:
    value = plain(value)
    if isinstance(value, Mapping):
        yield "map[" + " ".join(f"{show(key)}:{show(value[key])}" for key in sorted(value)) + "]"
    else:
        yield "[" + " ".join(show(item) for item in value) + "]"


def _show_float(value: float) -> str:
    """The shortest text; an exponent from 1e21 on, as ``%v`` does."""
    if value == int(value) and abs(value) < 1e21:
        return str(int(value))
    text = repr(value)
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent):+03d}" if mark else text
