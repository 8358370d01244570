"""From plain data to frozen structs by the rules of proto-JSON, with every problem found at once.

msgspec decodes faster but stops at the first error and knows neither proto durations nor oneofs nor enum numbers; so
the kinds that users write by hand come through here, and the ones that controllers write do only when msgspec fails.

Spec: https://protobuf.dev/programming-guides/json/
"""

from __future__ import annotations

import base64
import binascii
import difflib
import types
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import cache, cached_property
from typing import Annotated, Any, Final, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from discovery.schema.bounds import Bounds
from discovery.schema.duration import parse_duration
from discovery.schema.findings import Severity
from discovery.schema.message import Message, ProtoEnum

__all__ = ["Problem", "read", "read_leniently"]

T = TypeVar("T", bound=msgspec.Struct)

Path = tuple[Any, str | int] | None  # linked from the leaf up, so that the way costs nothing while all is well
Reader = Callable[[Any, Path, list["Problem"]], Any]

_FAILED: Final = object()


class Problem(NamedTuple):
    """A finding that does not know yet which object it is about."""

    path: str
    text: str
    hint: str = ""
    severity: Severity = Severity.ERROR


def read(cls: type[T], document: object, *, path: str = "") -> tuple[T | None, tuple[Problem, ...]]:
    """The struct that ``document`` (parsed JSON or YAML) describes, and what is wrong with it.

    With warnings only there is a struct; with errors there is none, and all of them are told.
    """
    problems: list[Problem] = []
    value = _struct_reader(cls)(document, (None, path) if path else None, problems)
    failed = value is _FAILED or any(p.severity is Severity.ERROR for p in problems)
    return (None if failed else value), tuple(problems)


def read_leniently(cls: type[T], document: object) -> T:
    """The struct with all of ``document`` that can be read; defaults stand for the rest. For those who judge it."""
    value = _struct_reader(cls)(document, None, [])
    return cls() if value is _FAILED else value


def _render(path: Path) -> str:
    parts: list[str] = []
    while path is not None:
        path, part = path
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            parts.append(f".{part}" if part.isidentifier() else f"[{part!r}]")
    return "".join(reversed(parts)).removeprefix(".")


def _describe(value: object) -> str:
    if isinstance(value, Mapping):
        return "an object"
    if isinstance(value, list | tuple):
        return "a list"
    return repr(value) if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."


def _wrong(want: str, value: object, path: Path, problems: list[Problem], hint: str = "") -> object:
    problems.append(Problem(_render(path), f"want {want}, got {_describe(value)}", hint))
    return _FAILED


# -- readers by type ---------------------------------------------------------------------------------------------------


@cache
def _reader(wanted: Any) -> Reader:
    """The reader of a type, made once."""
    origin, args = get_origin(wanted), get_args(wanted)
    if origin is Annotated:
        return _bounded_reader(args)
    if origin is Union or origin is types.UnionType:
        return _union_reader(args)
    if origin is tuple:
        return _list_reader(args[0])
    if origin is not None and issubclass(origin, Mapping):
        return _map_reader(*args)
    if isinstance(wanted, type) and issubclass(wanted, msgspec.Struct):
        return _struct_reader(wanted)
    if isinstance(wanted, type) and issubclass(wanted, ProtoEnum):
        return _enum_reader(wanted)
    return _SCALARS[wanted]


def _bounded_reader(args: tuple[Any, ...]) -> Reader:
    inner, bounds = _reader(args[0]), Bounds(args[0], args[1])

    def read_bounded(value: Any, path: Path, problems: list[Problem]) -> Any:
        got = inner(value, path, problems)
        return got if got is _FAILED or bounds.fit(got) else _wrong(bounds.want, value, path, problems)

    return read_bounded


def _union_reader(args: tuple[Any, ...]) -> Reader:
    wanted = tuple(arg for arg in args if arg is not types.NoneType)
    if len(wanted) == 1:
        return _reader(wanted[0])

    def read_int_or_string(value: Any, path: Path, problems: list[Problem]) -> Any:
        if type(value) in (int, str):
            return value
        return _wrong("a number or a name", value, path, problems)

    return read_int_or_string


def _list_reader(item: Any) -> Reader:
    inner = _reader(item)

    def read_list(value: Any, path: Path, problems: list[Problem]) -> Any:
        if type(value) is not list:
            return _wrong("a list", value, path, problems, "begin each item with '- '")
        items = [inner(entry, (path, index), problems) for index, entry in enumerate(value)]
        return tuple(entry for entry in items if entry is not _FAILED)

    return read_list


def _map_reader(key: Any, item: Any) -> Reader:
    inner = _reader(item)
    read_key = _read_int if key is int else _read_string

    def read_map(value: Any, path: Path, problems: list[Problem]) -> Any:
        if type(value) is not dict:
            return _wrong("an object", value, path, problems)
        result = {}
        for name, entry in value.items():
            at = (path, str(name))
            known = read_key(name, at, problems)
            got = inner(entry, at, problems)
            if known is not _FAILED and got is not _FAILED:
                result[known] = got
        return result

    return read_map


def _enum_reader(wanted: type[ProtoEnum]) -> Reader:
    spellings = ", ".join(wanted)

    def read_enum(value: Any, path: Path, problems: list[Problem]) -> Any:
        member = wanted.by_number(value) if type(value) is int else wanted.__members__.get(str(value))
        if member is None and type(value) is str:
            member = next((m for m in wanted if m.value == value), None)
        if member is None:
            near = difflib.get_close_matches(str(value).upper(), list(wanted), n=1)
            return _wrong(f"one of {spellings}", value, path, problems, f"did you mean {near[0]}?" if near else "")
        return member

    return read_enum


class _StructReader:
    """Reads an object into a struct; its fields are looked up late, for a struct may hold its own kind."""

    def __init__(self, cls: type[msgspec.Struct]) -> None:
        self._cls = cls
        self._in_full = issubclass(cls, Message)
        self._oneofs = cls.oneofs if issubclass(cls, Message) else ()
        self._required = cls.required if issubclass(cls, Message) else ()

    @cached_property
    def _fields(self) -> Mapping[str, tuple[str, Reader]]:
        """Attribute and reader by every name that a document may use."""
        hints = get_type_hints(self._cls, include_extras=True)
        fields: dict[str, tuple[str, Reader]] = {}
        for attribute, name in zip(self._cls.__struct_fields__, self._cls.__struct_encode_fields__, strict=True):
            entry = (attribute, _reader(hints[attribute]))
            fields[name] = entry
            if self._in_full:
                fields[attribute.rstrip("_")] = entry
        return fields

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """How documents spell each attribute."""
        return dict(zip(self._cls.__struct_fields__, self._cls.__struct_encode_fields__, strict=True))

    def __call__(self, value: Any, path: Path, problems: list[Problem]) -> Any:
        if type(value) is not dict:
            return _wrong("an object", value, path, problems)
        fields = self._fields
        found: dict[str, Any] = {}
        for name, item in value.items():
            field = fields.get(name)
            if field is None:
                if self._in_full:
                    problems.append(_unknown(name, path, fields))
            elif item is not None:  # null stands for "not written"
                attribute, reader = field
                if attribute in found:
                    problems.append(Problem(_render((path, name)), "the field is written twice, in both spellings"))
                found[attribute] = reader(item, (path, name), problems)
        for group in self._oneofs:
            _check_oneof(group, found, path, problems)
        missing = [attribute for attribute in self._required if attribute not in found]
        problems.extend(_missing((path, self._names[attribute])) for attribute in missing)
        return self._cls(**{name: item for name, item in found.items() if item is not _FAILED})


@cache
def _struct_reader(cls: type[msgspec.Struct]) -> Reader:
    return _StructReader(cls)


def _unknown(name: Any, path: Path, fields: Mapping[str, object]) -> Problem:
    near = difflib.get_close_matches(str(name), fields, n=1)
    hint = f"did you mean {near[0]}?" if near else "the field is ignored"
    return Problem(_render((path, str(name))), "unknown field", hint, Severity.WARNING)


def _missing(path: Path) -> Problem:
    return Problem(_render(path), "want a value, got none")


def _check_oneof(group: tuple[str, ...], found: Mapping[str, object], path: Path, problems: list[Problem]) -> None:
    there = [name for name in group if name in found]
    if len(there) > 1:
        names = " and ".join(there)
        problems.append(Problem(_render(path), f"at most one of {', '.join(group)} may be set, got {names}"))


# -- scalars -----------------------------------------------------------------------------------------------------------


def _read_string(value: Any, path: Path, problems: list[Problem]) -> Any:
    if type(value) is str:
        return value
    hint = "put it in quotes" if type(value) in (int, float, bool) else ""
    return _wrong("a string", value, path, problems, hint)


def _read_bool(value: Any, path: Path, problems: list[Problem]) -> Any:
    if type(value) is bool:
        return value
    return _wrong("true or false", value, path, problems)


def _read_int(value: Any, path: Path, problems: list[Problem]) -> Any:
    if type(value) is int:
        return value
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is str and value.removeprefix("-").isdecimal() and value.isascii() and len(value) < 20:
        return int(value)
    return _wrong("a whole number", value, path, problems)


def _read_float(value: Any, path: Path, problems: list[Problem]) -> Any:
    if type(value) in (int, float):
        return float(value)
    try:
        return float(value) if type(value) is str else _wrong("a number", value, path, problems)
    except ValueError:
        return _wrong("a number", value, path, problems)


def _read_duration(value: Any, path: Path, problems: list[Problem]) -> Any:
    duration = parse_duration(value) if type(value) is str else None
    if duration is None:
        return _wrong("a duration such as 1.5s, 100ms or 1h30m", value, path, problems)
    return duration


def _read_datetime(value: Any, path: Path, problems: list[Problem]) -> Any:
    try:
        return msgspec.convert(value, datetime)
    except msgspec.ValidationError:
        return _wrong("an RFC 3339 time such as 2024-01-02T03:04:05Z", value, path, problems)


def _read_bytes(value: Any, path: Path, problems: list[Problem]) -> Any:
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError, binascii.Error):
        return _wrong("base64", value, path, problems)


def _read_any(value: Any, _path: Path, _problems: list[Problem]) -> Any:
    return value


_SCALARS: Final[Mapping[Any, Reader]] = {
    str: _read_string,
    bool: _read_bool,
    int: _read_int,
    float: _read_float,
    bytes: _read_bytes,
    timedelta: _read_duration,
    datetime: _read_datetime,
    Any: _read_any,
}
