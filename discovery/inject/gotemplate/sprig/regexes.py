"""Regular expressions. Patterns are RE2's, which Python's are a superset of as far as templates go."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.values import show

__all__ = ["REGEXES"]

_GROUP: Final = re.compile(r"\$(?:\$|\{(\w+)\}|(\w+))")


def _compiled(pattern: Any) -> re.Pattern[str]:
    try:
        return re.compile(show(pattern), re.ASCII)
    except re.error as error:
        raise ValueError(f"{show(pattern)!r} is no regular expression: {error}") from None


def _find(pattern: Any, text: Any) -> str:
    found = _compiled(pattern).search(show(text))
    return found[0] if found else ""


def _find_all(pattern: Any, text: Any, count: int) -> list[str]:
    found = [match[0] for match in _compiled(pattern).finditer(show(text))]
    return found if count < 0 else found[:count]


def _replace(pattern: Any, text: Any, by: Any) -> str:
    compiled, form = _compiled(pattern), show(by)

    def group(match: re.Match[str], name: str) -> str:
        try:
            return match[int(name) if name.isdecimal() else name] or ""
        except (IndexError, re.error):
            return ""  # Go: a group that is not there is empty

    def expanded(match: re.Match[str]) -> str:
        return _GROUP.sub(lambda name: "$" if name[0] == "$$" else group(match, name[1] or name[2]), form)

    return compiled.sub(expanded, show(text))


def _split(pattern: Any, text: Any, count: int) -> list[str]:
    parts: list[str] = []
    whole, start = show(text), 0
    for match in _compiled(pattern).finditer(whole):
        if 0 < count == len(parts) + 1:
            break
        parts.append(whole[start : match.start()])
        start = match.end()
    return [*parts, whole[start:]] if count else []


REGEXES: Final[Mapping[str, Callable[..., Any]]] = {
    "regexFind": _find,
    "regexFindAll": _find_all,
    "regexMatch": lambda pattern, text: bool(_compiled(pattern).search(show(text))),
    "regexQuoteMeta": lambda text: re.escape(show(text)),
    "regexReplaceAll": _replace,
    "regexReplaceAllLiteral": lambda pattern, text, by: _compiled(pattern).sub(lambda _: show(by), show(text)),
    "regexSplit": _split,
}
