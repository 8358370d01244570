"""Labels and annotations as the kubelet writes them for a pod: one ``key="value"`` a line, values quoted as in Go."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["parse_podinfo"]

_ESCAPE: Final = re.compile(
    r"\\(?:(x)([0-9A-Fa-f]{2})|(u)([0-9A-Fa-f]{4})|(U)([0-9A-Fa-f]{8})|([0-7]{3})|(.))", re.DOTALL
)
_SINGLE: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


def parse_podinfo(text: str) -> dict[str, str]:
    """Read a downward API file; lines that cannot be read are skipped, for one bad label must not stop a start."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, separator, quoted = line.partition("=")
        value = _unquote(quoted.strip())
        if separator and key and value is not None:
            found[key.strip()] = value
    return found


def _unquote(text: str) -> str | None:
    """The value of a Go string literal in double quotes; None if it is none."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return None
    out = bytearray()
    at, inner = 0, text[1:-1]
    while at < len(inner):
        if inner[at] == '"':
            return None
        if inner[at] != "\\":
            out += inner[at].encode()
            at += 1
            continue
        match = _ESCAPE.match(inner, at)
        decoded = _decode(match) if match else None
        if match is None or decoded is None:
            return None
        out += decoded
        at = match.end()
    return out.decode("utf-8", "replace")


def _decode(match: re.Match[str]) -> bytes | None:
    """Escapes name bytes (``\\x``, octal) or characters (``\\u``, ``\\U``)."""
    if match[1]:
        return bytes((int(match[2], 16),))
    if match[3] or match[5]:
        return _character(int(match[4] or match[6], 16))
    if match[7]:
        number = int(match[7], 8)
        return bytes((number,)) if number < 256 else None
    single = _SINGLE.get(match[8])
    return single.encode() if single else None


def _character(code: int) -> bytes | None:
    surrogate = 0xD800 <= code <= 0xDFFF
    return None if surrogate or code > 0x10FFFF else chr(code).encode()
