"""Host name patterns: exact names, and wildcards for one or more leading labels (``*``, ``*.shop.example``)."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["host_matches", "is_wildcard", "most_specific", "patterns_overlap"]


def is_wildcard(pattern: str) -> bool:
    """Whether the pattern stands for many names."""
    return pattern.startswith("*")


def host_matches(pattern: str, host: str) -> bool:
    """Whether a name, or every name of a wildcard, is covered by a pattern. Both in lower case."""
    if pattern == host:
        return True
    return is_wildcard(pattern) and host.lstrip("*").endswith(pattern[1:]) and len(host) >= len(pattern)


def patterns_overlap(one: str, other: str) -> bool:
    """Whether some name is covered by both patterns."""
    return host_matches(one, other) or host_matches(other, one)


def most_specific(host: str, patterns: Iterable[str]) -> str | None:
    """The pattern that covers a name most closely: itself, else the longest wildcard; None when none does."""
    best: str | None = None
    for pattern in patterns:
        if pattern == host:
            return pattern
        if host_matches(pattern, host) and (best is None or len(pattern) > len(best)):
            best = pattern
    return best
