"""What can go wrong with injection.

InjectError
    ConfigError      the injector's configuration cannot be used: the operator's fault, found when it is read
    PodError         this pod cannot be injected: the fault of who wrote it, or of the template it asked for
"""

from __future__ import annotations

__all__ = ["ConfigError", "InjectError", "PodError"]


class InjectError(ValueError):
    """Injection is not possible; the text says what is wrong, where, and what to do."""


class ConfigError(InjectError):
    """The injector's configuration cannot be used."""


class PodError(InjectError):
    """A pod cannot be injected."""
