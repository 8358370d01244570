"""Encodings and checksums."""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Callable, Mapping
from typing import Any, Final

from discovery.inject.gotemplate.values import plain, show

__all__ = ["ENCODINGS", "to_json"]


def to_json(value: Any) -> str:
    """As Go writes JSON: keys of maps in order, no spaces."""
    return json.dumps(plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _decoded(text: Any, how: Callable[[str], bytes]) -> str:
    return how(show(text)).decode("utf-8", "replace")


ENCODINGS: Final[Mapping[str, Callable[..., Any]]] = {
    "adler32sum": lambda text: str(zlib.adler32(show(text).encode())),
    "b32dec": lambda text: _decoded(text, base64.b32decode),
    "b32enc": lambda text: base64.b32encode(show(text).encode()).decode(),
    "b64dec": lambda text: _decoded(text, base64.b64decode),
    "b64enc": lambda text: base64.b64encode(show(text).encode()).decode(),
    "fromJson": lambda text: json.loads(show(text)),
    "mustFromJson": lambda text: json.loads(show(text)),
    "mustToJson": to_json,
    "sha256sum": lambda text: hashlib.sha256(show(text).encode()).hexdigest(),
    "sha512sum": lambda text: hashlib.sha512(show(text).encode()).hexdigest(),
    "toPrettyJson": lambda value: json.dumps(plain(value), sort_keys=True, indent=2, ensure_ascii=False),
}
