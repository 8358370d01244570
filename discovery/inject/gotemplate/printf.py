"""``printf`` with Go's verbs, as far as templates use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from discovery.inject.gotemplate.values import kind_of, plain, show

__all__ = ["quoted", "sprintf"]

_VERB: Final = re.compile(r"%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?([a-zA-Z%])")
_MAX_WIDTH: Final = 10_000
_ESCAPES: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", "\\": "\\\\", '"': '\\"',
}  # fmt: skip


def quoted(text: str) -> str:
    """A Go string constant of the text."""
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def sprintf(form: str, *values: Any) -> str:
    """The form with its values.

    Raises:
        ValueError: a verb is unknown, does not fit its value, or there are too few or too many values.
    """
    given = iter(values)
    text = _VERB.sub(lambda match: _format(match, given), form)
    if any(True for _ in given):
        raise ValueError(f"more values than the form {form!r} has verbs")
    return text


def _taken(given: Iterator[Any], verb: str) -> Any:
    for value in given:
        return value
    raise ValueError(f"no value for {verb}")


def _size(text: str | None, given: Iterator[Any], verb: str) -> int | None:
    if not text:
        return None
    size = _taken(given, verb) if text == "*" else int(text)
    if not isinstance(size, int) or abs(size) > _MAX_WIDTH:
        raise ValueError(f"the width of {verb} is {size}, want at most {_MAX_WIDTH}")
    return size


def _format(match: re.Match[str], given: Iterator[Any]) -> str:
    whole, flags, verb = match[0], match[1], match[4]
    if verb == "%":
        return "%"
    width = _size(match[2], given, whole)
    precise = "." in whole
    precision = _size(match[3], given, whole) if match[3] else (0 if precise else None)
    value = _taken(given, whole)
    if verb in _NUMERIC:
        return _number(whole, flags, verb, width, precision, value)
    text = _text(verb, flags, value)
    if precision is not None and verb in "sq":
        text = text[:precision]
    fill = text.ljust if "-" in flags else text.rjust
    return fill(width) if width else text


def _text(verb: str, flags: str, value: Any) -> str:
    if verb == "q":
        return quoted(value if isinstance(value, str) else show(value))
    if verb == "t" and isinstance(value, bool):
        return show(value)
    if verb in "sv":
        return quoted(value) if "#" in flags and isinstance(value, str) else show(value)
    if verb == "T":
        return kind_of(value).split()[-1]
    raise ValueError(f"%{verb} does not fit {kind_of(value)}, or is not supported")


_NUMERIC: Final = "dxXobceEfFgG"


def _number(whole: str, flags: str, verb: str, width: int | None, precision: int | None, value: Any) -> str:
    if verb in "xX" and isinstance(value, str):
        text = value.encode().hex()
        return text.upper() if verb == "X" else text
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{whole} wants a number, got {kind_of(value)} {show(value)!r}")
    if verb == "c":
        return chr(int(value))
    if verb in "dxXob" and isinstance(value, float) and not value.is_integer():
        raise ValueError(f"{whole} wants a whole number, got {show(value)}")
    if verb in "dxXob":
        value = int(value)
    if verb == "b":
        return format(value, f"0{width}b" if width and "0" in flags else f"{width or ''}b")
    form = f"%{flags}{'' if width is None else width}{'' if precision is None else f'.{precision}'}{verb}"
    return str(form % value)
