"""Whether bytes that a source told as its metrics are lines that a scraper can read. Pure.

Prometheus refuses a whole scrape for one line of it: an application that answers its metrics path with a login page, or
is cut off in the middle of a line, would hide its sidecar's metrics too. What begins every line is looked at, not all
of it: pages, errors in words, JSON and binary formats are found, at 2 to 4 ms for a megabyte.

Spec: https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["judge_exposition"]

_EOF: Final = b"# EOF"
# Nothing, a comment, or a sample: a name with labels or a value after it, or labels that begin with a quoted name.
_LINE: Final = rb"""
    [ \t]*+
    (?: (?=[\r\n]|\Z)
      | \#
      | [A-Za-z_:][A-Za-z0-9_:]*+ (?: [ \t]*+\{ | [ \t]++[-+]?+(?:[0-9.]|[Nn][Aa][Nn]|[Ii][Nn][Ff]) )
      | \{[ \t]*+"(?:[^"\\\n]|\\.)*+"[ \t]*+[,}]
    )
    [^\n]*+
"""
_LINES: Final = re.compile(rb"(?:" + _LINE + rb"(?:\n|\Z))*+", re.VERBOSE)
_SHOWN: Final = 60


def judge_exposition(body: bytes, *, openmetrics: bool) -> str:
    """Why it cannot be read; empty when it can. ``openmetrics``: it must end in ``# EOF``, and nowhere before."""
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            return f"byte {error.start} is no UTF-8; is it a binary format?"
    match = _LINES.match(body)
    end = match.end() if match else 0
    if end < len(body):
        line = body[end : end + _SHOWN].split(b"\n", 1)[0].decode(errors="replace")
        number = body.count(b"\n", 0, end) + 1
        return f"line {number} is no metric: {line!r}"
    if openmetrics and not _ends_once(body):
        return "OpenMetrics that does not end in # EOF; is it cut off?"
    return ""


def _ends_once(body: bytes) -> bool:
    end = 0 if body.startswith(_EOF) else body.find(b"\n" + _EOF) + 1
    return body[end:].rstrip(b"\n") == _EOF
