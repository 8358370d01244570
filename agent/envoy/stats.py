"""Envoy's statistics as the agent reads them: numbers by name, and how many connections are still open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

__all__ = ["NO_STATISTIC", "count_connections", "parse_stats"]

NO_STATISTIC: Final = -1

_OWN: Final = ("worker_", "envoy_internal_", "admin")


def parse_stats(text: str) -> dict[str, int]:
    """Lines ``name: value``; histograms, texts and what is no line of that form are left out."""
    found = {}
    for line in text.splitlines():
        name, separator, value = line.rpartition(": ")
        if separator and value.strip().isdecimal():
            found[name.strip()] = int(value)
    return found


def count_connections(stats: Mapping[str, int], *, own_ports: Collection[int]) -> int:
    """Open connections of applications' clients; ``NO_STATISTIC`` if Envoy tells of no listener.

    Those of the agent's own listeners (``own_ports``, at any address) and Envoy's inner ones do not count: kubelet and
    Prometheus never go away.
    """
    endings = tuple(f"_{port}.downstream_cx_active" for port in own_ports if port)
    counts = [
        value
        for name, value in stats.items()
        if name.startswith("listener.")
        and name.endswith("downstream_cx_active")
        and not name.endswith(endings)
        and not any(part in name for part in _OWN)
    ]
    return sum(counts) if counts else NO_STATISTIC
