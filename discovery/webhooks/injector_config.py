"""The injector's configuration as it is now: the last one that could be used.

A configuration that cannot be used changes nothing but the findings; without any, injection fails and says why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from discovery.inject.config import InjectorConfig, parse_config, parse_values
from discovery.inject.errors import ConfigError
from discovery.runtime.logs import get_logger
from discovery.schema.findings import Finding
from discovery.schema.meta import Origin

__all__ = ["InjectorState", "LiveInjectorConfig"]

_OBJECT: Final = "injector configuration"


class InjectorState(msgspec.Struct, frozen=True):
    """A configuration that can be used."""

    config: InjectorConfig
    values: Mapping[str, Any]


class LiveInjectorConfig:
    """Takes configurations and keeps the last good one. One event loop owns it.

    Attributes:
        current: what is in force; None before the first good one.
        findings: what is wrong with the newest one.
    """

    def __init__(self, rejected: Callable[[], None] = lambda: None) -> None:
        """``rejected`` is called for each one that cannot be used."""
        self.current: InjectorState | None = None
        self.findings: tuple[Finding, ...] = (Finding(_OBJECT, "", "none was read yet"),)
        self._rejected = rejected
        self._log = get_logger("inject")

    def update(self, config: str, values: str, where: str) -> None:
        """Take up a new one if it can be used; ``where`` it is from, for messages."""
        try:
            state = InjectorState(parse_config(config), parse_values(values))
        except ConfigError as error:
            self._refuse(str(error), where)
            return
        if self.findings or self.current is None:
            self._log.info("injector configuration in force", where=where, templates=sorted(state.config.templates))
        self.current = state
        self.findings = ()

    def gone(self, where: str) -> None:
        """There is none any more: the last good one stays."""
        self._refuse("it is not there", where)

    def _refuse(self, problem: str, where: str) -> None:
        hint = "the last good one stays in force" if self.current else "no pod can be injected until it is there"
        finding = Finding(_OBJECT, "", problem, hint, origin=Origin(where))
        if (finding,) != self.findings:
            self._rejected()
            self._log.error("injector configuration cannot be used", where=where, reason=problem, hint=hint)
        self.findings = (finding,)
