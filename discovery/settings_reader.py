"""Flags and variables read with their types; what is wrong with them is gathered, so that all is told at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from discovery.wire.durations import DurationError, parse_duration

__all__ = ["Address", "SettingsReader"]


class Address(NamedTuple):
    """A listen address; ``host`` empty means all."""

    host: str
    port: int


class SettingsReader:
    """Typed access to flags and variables that gathers everything that is wrong."""

    def __init__(self, flags: Mapping[str, Any], environ: Mapping[str, str], defaults: Mapping[str, str]) -> None:
        self._flags = flags
        self._environ = environ
        self._defaults = defaults  # of variables
        self.findings: list[str] = []

    def flag(self, name: str) -> str:
        """Its text."""
        return str(self._flags[name])

    def variable(self, name: str) -> str:
        """Its text, or that of its default."""
        return self._environ.get(name, self._defaults[name])

    def flag_or_variable(self, flag: str, variable: str, default: str) -> str:
        """The flag where it was given, else the variable, else the default."""
        value = self.flag(flag)
        return value if value != default else self._environ.get(variable, default)

    def duration(self, text: str, where: str) -> timedelta:
        """A length of time; ``where`` it is written, for the finding."""
        try:
            return timedelta(seconds=parse_duration(text))
        except DurationError as error:
            self.findings.append(f"{where}: {error}")
            return timedelta()

    def number(self, flag: str) -> float:
        """A flag's number, 0 or more."""
        text = self.flag(flag)
        try:
            value = float(text)
        except ValueError:
            value = -1
        if not 0 <= value < 1e9:  # also not for infinity and what is no number
            self.findings.append(f"--{flag} {text!r}: want a number, 0 or more")
            return 0
        return value

    def switch(self, name: str) -> bool:
        """A variable's boolean."""
        text = self.variable(name)
        if text.lower() in ("1", "t", "true"):
            return True
        if text.lower() not in ("0", "f", "false"):
            self.findings.append(f"{name}={text!r} is no boolean, want true or false")
        return False

    def address(self, name: str) -> Address | None:
        """A flag's listen address; None where it is empty, for off."""
        text = self.flag(name)
        if not text:
            return None
        host, _, port = text.rpartition(":")
        if not port.isdecimal() or int(port) > 65535:
            self.findings.append(f"--{name} {text!r}: want host:port or :port, with port 0 to 65535; empty for off")
            return None
        return Address(host.strip("[]"), int(port))
