"""Whether a regular expression is one for RE2, as far as that can be told for certain without RE2.

A refused pattern would make Envoy refuse the whole route configuration. What is not certain is let through.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from discovery.schema.proto_json import Problem
from discovery.validation.fields import error

__all__ = ["check_regex", "regex_fault"]

_MAX_LENGTH: Final = 1024
_CLASS: Final = re.compile(r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]", re.DOTALL)
_REFUSED_GROUPS: Final = ("(?=", "(?!", "(?<=", "(?<!", "(?>", "(?(", "(?#", "(?P=")


def check_regex(pattern: str, at: str) -> Iterator[Problem]:
    """At most 1024 characters of RE2."""
    if len(pattern) > _MAX_LENGTH:
        yield error(at, f"want at most {_MAX_LENGTH} characters, got {len(pattern)}")
        return
    fault = regex_fault(pattern)
    if fault:
        yield error(at, f"want a regular expression of RE2: {fault}", "https://github.com/google/re2/wiki/Syntax")


def regex_fault(pattern: str) -> str:
    """What RE2 refuses in ``pattern``; empty if nothing is known."""
    depth = i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "\\":
            fault = _escape_fault(pattern, i)
            if fault:
                return fault
            if pattern[i + 1] == "Q":  # literal up to \E
                end = pattern.find("\\E", i)
                return "" if end < 0 else regex_fault(pattern[end + 2 :]) if depth == 0 else ""
            i += 2
            continue
        if char == "[":
            found = _CLASS.match(pattern, i)
            if found is None:
                return f"'[' at {i} is not closed"
            i = found.end()
            continue
        fault = _group_fault(pattern, i) if char == "(" else _repeat_fault(pattern, i) if char in "*+?" else ""
        if fault:
            return fault
        depth += (char == "(") - (char == ")")
        if depth < 0:
            return f"')' at {i} closes nothing"
        i += 1
    return "a '(' is not closed" if depth else ""


def _escape_fault(pattern: str, i: int) -> str:
    if i + 1 == len(pattern):
        return "it ends with '\\'"
    return f"no back-references (at {i})" if pattern[i + 1] in "123456789" else ""


def _group_fault(pattern: str, i: int) -> str:
    start = pattern[i : i + 4]
    return f"no {start!r} (at {i})" if start.startswith(_REFUSED_GROUPS) else ""


def _repeat_fault(pattern: str, i: int) -> str:
    if i and pattern[i - 1] == "(" and pattern[i] == "?" and not pattern.startswith("\\", i - 2):
        return ""
    if i == 0:
        return f"nothing to repeat at {i}"
    before, escaped = pattern[i - 1], i > 1 and pattern[i - 2] == "\\"
    if escaped:
        return ""
    return f"nothing to repeat at {i}" if before in "(|" or (before in "*+?" and pattern[i] != "?") else ""
