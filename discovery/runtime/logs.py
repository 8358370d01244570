"""Logging for people and for machines: constant messages with keyed facts, to standard error.

``--log_output_level`` takes Istio's form ``default:info,ads:debug``; a scope is the logger's name.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from discovery.runtime.plain_logs import plain_backend

if TYPE_CHECKING:
    import structlog

__all__ = ["LEVELS", "LogLevelError", "Logger", "configure_logging", "get_logger", "parse_levels"]

LEVELS: Final[Mapping[str, int]] = {
    "none": logging.CRITICAL + 10,
    "fatal": logging.CRITICAL,
    "error": logging.ERROR,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}


class LogLevelError(ValueError):
    """A log level could not be read; the text says what was wanted."""


def parse_levels(text: str) -> dict[str, int]:
    """Read ``level`` or ``scope:level,scope:level`` into numbers by scope; ``default`` stands for all others.

    Raises:
        LogLevelError: a level is unknown.
    """
    levels = {"default": logging.INFO}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        scope, _, level = part.rpartition(":")
        if level not in LEVELS:
            raise LogLevelError(f"log level {level!r} in {text!r} is unknown, want one of {', '.join(LEVELS)}")
        levels[scope or "default"] = LEVELS[level]
    return levels


_Backend = Callable[[str, str, str, Mapping[str, Any]], None]


def _structlog_backend(scope: str, method: str, event: str, facts: Mapping[str, Any]) -> None:
    import structlog  # takes megabytes; a program with plain logs never loads it

    getattr(structlog.get_logger(scope=scope), method)(event, **facts)


class Logger:
    """Writes messages of one scope: a constant text and keyed facts."""

    backend: _Backend = staticmethod(_structlog_backend)  # of the whole process, see configure_logging

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def debug(self, event: str, **facts: Any) -> None:
        """Traffic message by message; for developers."""
        Logger.backend(self._scope, "debug", event, facts)

    def info(self, event: str, **facts: Any) -> None:
        """What an operator may want to know."""
        Logger.backend(self._scope, "info", event, facts)

    def warning(self, event: str, **facts: Any) -> None:
        """Something is wrong and we go on."""
        Logger.backend(self._scope, "warning", event, facts)

    def error(self, event: str, **facts: Any) -> None:
        """Something that should work does not."""
        Logger.backend(self._scope, "error", event, facts)


def configure_logging(*, levels: str = "default:info", as_json: bool = False, plain: bool = False) -> None:
    """Set up logging of the whole process, once, at its start. ``plain``: without structlog, to save its memory.

    Raises:
        LogLevelError: ``levels`` cannot be read.
    """
    numbers = parse_levels(levels)
    if plain:
        Logger.backend = staticmethod(plain_backend(numbers, LEVELS, as_json=as_json))
        return
    import structlog

    Logger.backend = staticmethod(_structlog_backend)
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=30, sort_keys=False)
    )
    structlog.configure(
        processors=[
            _Filter(numbers),
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.format_exc_info,
            renderer,
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


class _Filter:
    """Drops what is below the level of its scope."""

    def __init__(self, levels: Mapping[str, int]) -> None:
        self._levels = levels

    def __call__(self, _logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        wanted = self._levels.get(str(event.get("scope", "")), self._levels["default"])
        if LEVELS.get(method, logging.ERROR) < wanted:
            import structlog

            raise structlog.DropEvent
        return event


def get_logger(scope: str) -> Logger:
    """The logger of a scope: ``log.info("push sent", type="CDS", proxy=proxy.id)``."""
    return Logger(scope)
