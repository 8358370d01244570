"""What clients report to hold when they come back, as values that equal clients share.

A thousand sidecars that lost their connection report the same three thousand versions each. Equal reports are one
object: it is read once, and compared once with what is served.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["Report", "Reports"]

_KEPT: Final = 8  # reports; a burst of reconnects brings few that differ, about one per type and scope


class Report:
    """Names of resources held, with their versions. Immutable."""

    __slots__ = ("_equal", "entries", "versions")

    def __init__(self, versions: Mapping[str, str], entries: frozenset[bytes] = frozenset()) -> None:
        self.versions = versions
        self.entries = entries  # as they came
        self._equal: Mapping[str, str] | None = None  # the last one found equal: the next client asks the same

    def equals(self, versions: Mapping[str, str]) -> bool:
        """Whether exactly these are held."""
        if versions is self._equal:
            return True
        if self.versions != versions:
            return False
        self._equal = versions
        return True

    def __repr__(self) -> str:
        return f"Report({dict(self.versions)})"


class Reports:
    """Makes reports and keeps equal ones one. Bound: the last few; overflow: the one not seen for longest is let go."""

    def __init__(self) -> None:
        self._recent: OrderedDict[frozenset[bytes], Report] = OrderedDict()

    def of(self, entries: frozenset[bytes], read: Callable[[], Mapping[str, str]]) -> Report:
        """The one report of these entries, as they came; ``read`` is called for one not seen lately."""
        report = self._recent.get(entries)
        if report is not None:
            self._recent.move_to_end(report.entries)  # the very key: thousands of names need not be compared again
            return report
        report = Report(read(), entries)
        if len(report.versions) < len(entries):
            return report  # a name came twice; which version counts depends on the order, which a set does not keep
        if len(self._recent) >= _KEPT:
            self._recent.popitem(last=False)
        self._recent[entries] = report
        return report

    def trim(self) -> None:
        """Forget all; for quiet times."""
        self._recent.clear()

    def __len__(self) -> int:
        return len(self._recent)
