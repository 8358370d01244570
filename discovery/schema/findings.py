"""What we tell the owner of a configuration object: which object, where in it, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from discovery.schema.meta import Origin

__all__ = ["Finding", "Severity", "has_errors"]


class Severity(StrEnum):
    """ERROR: the object is not used. WARNING: it is, but perhaps not as meant. INFO: good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong with one object; ``str()`` is a line for people."""

    object: str  # "VirtualService shop/reviews", or empty when the document has no identity
    path: str  # "spec.http[0].timeout"
    problem: str  # "want a duration such as 1.5s, got 'soon'"
    hint: str = ""
    severity: Severity = Severity.ERROR
    origin: Origin = Origin()

    def __str__(self) -> str:
        where = ": ".join(part for part in (str(self.origin), self.object, self.path) if part)
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}: {self.problem}{hint}" if where else f"{self.problem}{hint}"


def has_errors(findings: Iterable[Finding]) -> bool:
    """Whether any finding forbids the use of its object."""
    return any(finding.severity is Severity.ERROR for finding in findings)
