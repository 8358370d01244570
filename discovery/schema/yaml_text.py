"""YAML text to plain data, as Kubernetes tools read it, safely: a hostile or half-written file costs a finding at most.

It is built on libyaml's events instead of PyYAML's loaders: those recurse in C (100 000 brackets end the process),
take the last of two equal keys in silence, and turn dates into objects that JSON does not have. Scalars follow what
Go's YAML library makes of them, for that is what users' files have been tried with; only ``y`` and ``n`` are
texts, as in all newer YAML.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import yaml
from yaml._yaml import CParser
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

__all__ = ["MAX_DEPTH", "MAX_VALUES", "Piece", "YamlError", "is_plain_text", "parse_yaml", "split_documents"]

MAX_DEPTH: Final = 100  # containers within containers; the deepest field of any API is at about 20
MAX_VALUES: Final = 1_000_000  # per document with its aliases written out, the cure for the "billion laughs"

_MAX_REPAIRS: Final = 16  # lines with unquoted addresses, as each costs a pass over the text
_ADDRESS: Final = re.compile(r"(?<=[\[,\s])([0-9A-Fa-f]*:[0-9A-Fa-f.:]*:[0-9A-Fa-f.:]*(?:/[0-9]+)?)(?=\s*[,\]])")

_MARKER: Final = re.compile(r"(?:---|\.\.\.)(?=[ \t\r\n]|\Z)")
_NEXT_MARKER: Final = re.compile(
    rf"\n{_MARKER.pattern}"
)  # a literal first character makes the search four times faster
_INT: Final = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?")
_BOOLS: Final = {
    **{word: True for base in ("yes", "true", "on") for word in (base, base.title(), base.upper())},
    **{word: False for base in ("no", "false", "off") for word in (base, base.title(), base.upper())},
}
_OLD_BOOLS: Final = frozenset("yYnN")
_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_CONSTANTS: Final = {".inf": float("inf"), "-.inf": float("-inf"), "+.inf": float("inf"), ".nan": float("nan")}
_MERGE: Final = object()  # stands for the key << where it is not in quotes
_STRING_TAGS: Final = ("!", "tag:yaml.org,2002:str", "tag:yaml.org,2002:binary", "tag:yaml.org,2002:timestamp")


class YamlError(ValueError):
    """A text is not one YAML document that can stand for JSON; ``line`` counts from 1 within the text."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(f"line {line}: {problem}")
        self.problem = problem
        self.line = line


class Piece(NamedTuple):
    """One document of a stream: its text, and the line (from 1) of the stream at which that text begins."""

    line: int
    text: str


def split_documents(text: str) -> tuple[Piece, ...]:
    """The documents of a stream, cut at its markers without parsing anything; comments alone are no document.

    A marker at the start of a line always ends a document, even in a broken one or within a block of text, so that an
    error in one document cannot swallow the next.
    """
    pieces: list[Piece] = []
    starts = [0, *(match.start() + 1 for match in _NEXT_MARKER.finditer(text)), len(text)]
    line = 1
    for begin, end in pairwise(starts):
        part = text[begin:end]
        body = "   " + part[3:] if _MARKER.match(part) else part
        skipped = _leading_noise(body)
        if skipped < len(body):
            pieces.append(Piece(line + body.count("\n", 0, skipped), body[skipped:]))
        line += part.count("\n")
    return tuple(pieces)


_NOISE: Final = re.compile(r"(?:[ \t\r]*(?:#[^\n]*)?\n|%[^\n]*\n)*(?:[ \t\r]*(?:#[^\n]*)?\Z)?")


def _leading_noise(body: str) -> int:
    """How many characters of blank lines, comments and directives come first."""
    match = _NOISE.match(body)
    return match.end() if match else 0


def parse_yaml(text: str) -> Any:
    """The value of one document: dicts with string keys, lists, strings, numbers, booleans and None.

    Raises:
        YamlError: no YAML, more than one document, equal keys, too deep, or aliases that explode.
    """
    try:
        return _built(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        lines = len(text.splitlines())  # the parser says of a text that is cut short: on the line after its last
        raise YamlError(what, min(mark.line + 1, lines) if mark and lines else 1) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position if isinstance(error.position, int) else 0) + 1
        raise YamlError(f"the character {error.character!r} is not allowed: {error.reason}", line) from error
    except yaml.YAMLError as error:
        raise YamlError(str(error), 1) from error
    except UnicodeEncodeError as error:
        raise YamlError(f"not Unicode text: {error.reason}", text.count("\n", 0, error.start) + 1) from error


def is_plain_text(text: str) -> bool:
    """Whether everybody reads these characters without quotes as a text; some libraries take ``y`` for a boolean."""
    return text not in _OLD_BOOLS and type(_plain(text)) is str


def _built(text: str) -> Any:
    """The value; where libyaml stumbles over an unquoted IPv6 address in ``[...]``, once more with it in quotes.

    YAML 1.2 and Go's library take ``[2001:db8::]`` for a list of one text.
    """
    for _ in range(_MAX_REPAIRS):
        try:
            return _Builder().build(CParser(text))
        except yaml.MarkedYAMLError as error:
            lines = text.splitlines(keepends=True)
            if error.problem_mark is None or error.problem_mark.line >= len(lines):
                raise
            at = error.problem_mark.line
            lines[at] = _ADDRESS.sub(r'"\1"', lines[at])
            repaired = "".join(lines)
            if repaired == text:
                raise
            text = repaired
    return _Builder().build(CParser(text))


class _Open(NamedTuple):
    """A container that is being filled."""

    value: dict[str, Any] | list[Any]
    anchor: str | None
    before: int  # values seen when it began
    keys: list[Any]  # of a mapping: the key whose value comes next
    merged: list[dict[str, Any]]  # of a mapping: what ``<<`` brings in


class _Builder:
    """Builds one document from events, without recursion."""

    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}  # the value and how many values it holds
        self._count = 0
        self._result: Any = None

    def build(self, parser: CParser) -> Any:
        documents = 0
        while True:
            event = parser.get_event()
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                self._open(event, {} if kind is MappingStartEvent else [])
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._close(event)
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _error("a second document begins without a line ---", event)
            elif kind is StreamEndEvent:
                return self._result

    def _scalar(self, event: Any) -> None:
        self._count += 1
        stack = self._stack
        if stack and type(stack[-1].value) is dict and not stack[-1].keys:
            self._key(event)
            return
        value = _value_of(event)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        self._put(value, event)

    def _key(self, event: Any) -> None:
        top = self._stack[-1]
        if event.value in top.value:
            raise _error(f"the key {event.value!r} is written twice", event)
        if event.anchor:
            self._anchors[event.anchor] = (event.value, 1)
        top.keys.append(_MERGE if event.value == "<<" and event.implicit[0] else event.value)

    def _open(self, event: Any, value: dict[str, Any] | list[Any]) -> None:
        self._count += 1
        if len(self._stack) >= MAX_DEPTH:
            raise _error(f"more than {MAX_DEPTH} levels of nesting", event)
        if self._stack and type(self._stack[-1].value) is dict and not self._stack[-1].keys:
            raise _error("a key must be a text, not a list or mapping", event)
        self._stack.append(_Open(value, event.anchor, self._count, [], []))

    def _close(self, event: Any) -> None:
        done = self._stack.pop()
        value = done.value
        if done.merged and type(value) is dict:
            for source in done.merged:
                for key, item in source.items():
                    value.setdefault(key, item)
        if done.anchor:
            self._anchors[done.anchor] = (value, self._count - done.before + 1)
        self._put(value, event)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise _error(f"the alias *{event.anchor} has no anchor before it, or stands within it", event)
        value, size = self._anchors[event.anchor]
        self._count += size
        if self._count > MAX_VALUES:
            raise _error(f"with its aliases written out the document has more than {MAX_VALUES} values", event)
        self._put(value, event)

    def _put(self, value: Any, event: Any) -> None:
        if not self._stack:
            self._result = value
            return
        top = self._stack[-1]
        if type(top.value) is list:
            top.value.append(value)
        elif type(top.value) is dict:
            if not top.keys:
                raise _error("an alias as a key is not supported", event)
            key = top.keys.pop()
            if key is _MERGE:
                self._merge(top, value, event)
            else:
                top.value[key] = value

    @staticmethod
    def _merge(top: _Open, value: Any, event: Any) -> None:
        sources = value if isinstance(value, list) else [value]
        if not all(isinstance(source, dict) for source in sources):
            raise _error("<< takes a mapping or a list of mappings", event)
        top.merged.extend(sources)


def _error(problem: str, event: Any) -> YamlError:
    return YamlError(problem, event.start_mark.line + 1)


def _value_of(event: Any) -> Any:
    if event.tag is None:
        return _plain(event.value) if event.implicit[0] else event.value
    if event.tag in _STRING_TAGS:
        return event.value
    if event.tag.startswith("tag:yaml.org,2002:"):
        return _plain(event.value)
    raise _error(f"the tag {event.tag} is not supported", event)


@lru_cache(maxsize=8192)
def _plain(text: str) -> Any:
    """What a scalar without quotes means."""
    if text in _NULLS:
        return None
    if text[0].isalpha():
        return _BOOLS.get(text, text)
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    if _INT.fullmatch(text):
        return _int(text.replace("_", ""))
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def _int(digits: str) -> int | str:
    sign, number = (-1, digits[1:]) if digits[0] == "-" else (1, digits.removeprefix("+"))
    try:
        if number[:1] == "0" and number[1:].isdecimal():  # YAML 1.1: a leading zero means octal
            return sign * int(number, 8)
        return sign * int(number, 0)
    except ValueError:  # 0x without digits, or more digits than Python converts
        return digits
