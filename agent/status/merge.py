"""Metrics of several sources made one text: which formats to ask for, and how to put the answers together. Pure.

The agent's own come first, then Envoy's, then the application's: OpenMetrics ends in a line that nothing may follow.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final

import msgspec

__all__ = ["Format", "Part", "accepts_gzip", "join_application", "merge", "read_format", "rewrite_accept"]

_PLAIN: Final = "text/plain;version=0.0.4"
_OPENMETRICS_NAME: Final = "application/openmetrics-text"
_EOF: Final = b"# EOF"


class Format(Enum):
    """A text format, by the Content-Type that it is told with."""

    TEXT = "text/plain; version=0.0.4; charset=utf-8"
    OPENMETRICS_0 = "application/openmetrics-text; version=0.0.1; charset=utf-8"
    OPENMETRICS_1 = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class Part(msgspec.Struct, frozen=True):
    """What one source told."""

    body: bytes
    format: Format


def rewrite_accept(accept: str, *, openmetrics: bool) -> str:
    """The ``Accept`` header for a source: only texts, for what is put together must be of one kind.

    The order of preference is kept and written as falling quality. ``openmetrics``: whether that may be answered, too.
    """
    kept: list[str] = []
    for item in accept.split(","):
        media = [part.strip() for part in item.split(";") if not part.strip().lower().startswith("q=")]
        name = media[0].lower() if media else ""
        if name in ("*/*", "*"):
            media = [_PLAIN]
        elif openmetrics and name == "application/*":
            media = [f"{_OPENMETRICS_NAME};version=0.0.1"]
        elif name not in ("text/plain", "text/*") and not (openmetrics and name == _OPENMETRICS_NAME):
            continue
        if (wanted := ";".join(media)) not in kept:
            kept.append(wanted)
    if len(kept) <= 1:
        return kept[0] if kept else _PLAIN
    return ",".join(f"{name};q=0.{max(9 - rank, 1)}" for rank, name in enumerate(kept))


def read_format(content_type: str) -> Format:
    """The format that a source says it answered in; what is not OpenMetrics is text."""
    name, *parameters = (part.strip().lower() for part in content_type.split(";"))
    if name != _OPENMETRICS_NAME:
        return Format.TEXT
    return Format.OPENMETRICS_1 if "version=1.0.0" in parameters else Format.OPENMETRICS_0


def join_application(parts: Sequence[Part]) -> Part | None:
    """The application's answers as one, in their order; None without any.

    A single answer stays as it is. Of several, OpenMetrics remains only if all agree on it.
    """
    if len(parts) <= 1:
        return parts[0] if parts else None
    formats = {part.format for part in parts}
    agreed = formats.pop() if len(formats) == 1 else Format.TEXT
    bodies = [_without_eof(part.body) for part in parts]
    end = _EOF + b"\n" if agreed is not Format.TEXT else b""
    return Part(b"".join(map(_with_newline, bodies)) + end, agreed)


def merge(agent: bytes, envoy: bytes, application: Part | None) -> Part:
    """All in one, labelled by the application's format."""
    own = _with_newline(agent) + _with_newline(envoy)
    if application is None:
        return Part(own, Format.TEXT)
    return Part(own + application.body, application.format)


def _with_newline(body: bytes) -> bytes:
    return body + b"\n" if body and not body.endswith(b"\n") else body


def _without_eof(body: bytes) -> bytes:
    stripped = body.rstrip(b"\n")
    return stripped[: -len(_EOF)] if stripped.endswith(b"\n" + _EOF) or stripped == _EOF else body


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether a gzip body may be sent."""
    for item in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in item.split(";"))
        if name in ("gzip", "*"):
            quality = next((text[2:] for text in parameters if text.startswith("q=")), "1")
            return quality.strip("0.") != ""
    return False
