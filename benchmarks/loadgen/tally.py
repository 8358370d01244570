"""Counts per stream and type, and their sum over many streams as the JSON the runner reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.loadgen.payload import Response
from discovery.wire.type_urls import short_name

__all__ = ["Tally", "summarise"]

_COLUMNS = ("responses", "resources", "removed", "bytes")


class Tally:
    """What one stream received since the last mark. Mutable: its session counts, the fleet resets."""

    __slots__ = ("by_type", "last_ack_at", "rejected", "responses")

    def __init__(self) -> None:
        self.last_ack_at = 0.0  # monotonic seconds; 0 when nothing was acknowledged since the mark
        self.reset()

    def reset(self) -> None:
        """Forget all counts: a mark."""
        self.by_type: dict[str, list[int]] = {}
        self.responses = 0
        self.rejected = 0
        self.last_ack_at = 0.0

    def count(self, response: Response, *, rejected: bool) -> None:
        """Add one response."""
        self.responses += 1
        self.rejected += rejected
        row = self.by_type.get(response.type_url)
        if row is None:
            row = self.by_type[response.type_url] = [0, 0, 0, 0]
        row[0] += 1
        row[1] += len(response.batch.entries)
        row[2] += len(response.batch.removed)
        row[3] += response.size_bytes

    @property
    def size_bytes(self) -> int:
        """Bytes received."""
        return sum(row[3] for row in self.by_type.values())


def summarise(tallies: Iterable[Tally]) -> dict[str, Any]:
    """Totals per type, and per stream the mean and the largest number of bytes.

    Gives ``streams``, ``touched`` (streams that received anything), ``responses``, ``rejected``, ``bytes_mean`` and
    ``bytes_max`` per stream, ``last_ack_at`` (monotonic seconds, 0 when there was none), and ``types``: by short name,
    totals of responses, resources, removed and bytes.
    """
    streams = list(tallies)
    types: dict[str, dict[str, int]] = {}
    for tally in streams:
        for type_url, row in tally.by_type.items():
            total = types.setdefault(short_name(type_url), dict.fromkeys(_COLUMNS, 0))
            for column, value in zip(_COLUMNS, row, strict=True):
                total[column] += value
    sizes = [tally.size_bytes for tally in streams]
    return {
        "streams": len(streams),
        "touched": sum(1 for tally in streams if tally.responses),
        "responses": sum(tally.responses for tally in streams),
        "resources": sum(total["resources"] + total["removed"] for total in types.values()),
        "rejected": sum(tally.rejected for tally in streams),
        "bytes_mean": sum(sizes) / len(sizes) if sizes else 0.0,
        "bytes_max": max(sizes, default=0),
        "last_ack_at": max((tally.last_ack_at for tally in streams), default=0.0),
        "types": types,
    }
