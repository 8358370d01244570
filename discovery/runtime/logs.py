"""Logging for people and for machines: constant messages with keyed facts, to standard error.

``--log_output_level`` takes Istio's form ``default:info,ads:debug``; a scope is the logger's name.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Final

import structlog

__all__ = ["LEVELS", "LogLevelError", "configure_logging", "get_logger", "parse_levels"]

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


def configure_logging(*, levels: str = "default:info", as_json: bool = False) -> None:
    """Set up logging of the whole process, once, at its start.

    Raises:
        LogLevelError: ``levels`` cannot be read.
    """
    numbers = parse_levels(levels)
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
            raise structlog.DropEvent
        return event


def get_logger(scope: str) -> structlog.typing.FilteringBoundLogger:
    """The logger of a scope: ``log.info("push sent", type="CDS", proxy=proxy.id)``."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(scope=scope)
    return logger
