"""Functions on texts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.printf import quoted
from discovery.inject.gotemplate.values import Absent, show

__all__ = ["TEXTS", "indent", "nothing"]

_MAX_CHARACTERS: Final = 1 << 20


def nothing(value: Any) -> bool:
    """Whether there is no value at all."""
    return value is None or isinstance(value, Absent)


def indent(spaces: int, text: Any) -> str:
    """Every line moved to the right."""
    return "\n".join(" " * spaces + line for line in show(text).split("\n"))


def _repeat(count: int, text: Any) -> str:
    if count * len(show(text)) > _MAX_CHARACTERS:
        raise ValueError(f"a text of more than {_MAX_CHARACTERS} characters")
    return show(text) * count


def _substr(start: int, end: int, text: Any) -> str:
    whole = show(text)
    start = max(start, 0)
    return whole[start:] if end < 0 or end > len(whole) else whole[start:end]


def _trunc(count: int, text: Any) -> str:
    whole = show(text)
    if count >= 0:
        return whole[:count]
    return whole[count:] if -count < len(whole) else whole


def _abbrev(width: int, text: Any) -> str:
    whole = show(text)
    return whole if width < 4 or len(whole) <= width else f"{whole[: width - 3]}..."


def _words(text: Any) -> list[str]:
    return re.findall(r"[A-Z]+(?=[A-Z][a-z0-9])|[A-Z]?[a-z0-9]+|[A-Z]+", show(text))


def _split(separator: Any, text: Any) -> dict[str, str]:
    return {f"_{place}": part for place, part in enumerate(show(text).split(show(separator)))}


def _without(ending: Callable[[str, str], str]) -> Callable[[Any, Any], str]:
    return lambda cut, text: ending(show(text), show(cut))


TEXTS: Final[Mapping[str, Callable[..., Any]]] = {
    "abbrev": _abbrev,
    "camelcase": lambda text: "".join(word.capitalize() for word in _words(text)),
    "cat": lambda *values: " ".join(show(value) for value in values if not nothing(value)),
    "contains": lambda part, text: show(part) in show(text),
    "hasPrefix": lambda part, text: show(text).startswith(show(part)),
    "hasSuffix": lambda part, text: show(text).endswith(show(part)),
    "indent": indent,
    "kebabcase": lambda text: "-".join(_words(text)).lower(),
    "lower": lambda text: show(text).lower(),
    "nindent": lambda spaces, text: "\n" + indent(spaces, text),
    "nospace": lambda text: re.sub(r"\s", "", show(text)),
    "quote": lambda *values: " ".join(quoted(show(value)) for value in values if not nothing(value)),
    "repeat": _repeat,
    "replace": lambda old, new, text: show(text).replace(show(old), show(new)),
    "snakecase": lambda text: "_".join(_words(text)).lower(),
    "split": _split,
    "splitList": lambda separator, text: show(text).split(show(separator)),
    "splitn": lambda separator, count, text: {
        f"_{place}": part for place, part in enumerate(show(text).split(show(separator), count - 1))
    },
    "squote": lambda *values: " ".join(f"'{show(value)}'" for value in values if not nothing(value)),
    "substr": _substr,
    "swapcase": lambda text: show(text).swapcase(),
    "title": lambda text: re.sub(r"(?:^|(?<=\s))\S", lambda found: found[0].upper(), show(text)),
    "toString": show,
    "trim": lambda text: show(text).strip(),
    "trimAll": lambda cut, text: show(text).strip(show(cut)),
    "trimPrefix": _without(str.removeprefix),
    "trimSuffix": _without(str.removesuffix),
    "trunc": _trunc,
    "untitle": lambda text: re.sub(r"(?:^|(?<=\s))\S", lambda found: found[0].lower(), show(text)),
    "upper": lambda text: show(text).upper(),
}
