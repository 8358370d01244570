"""Looking up the wildcards that cover a host among many of them, by the host's own labels instead of one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from discovery.registry.host import host_matches

__all__ = ["Patterns"]


class Patterns:
    """Wildcard host names: ``*``, ``*.example.com``, ``*-api.example.com``."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._plain: set[str] = set()
        self._odd: list[str] = []  # do not end at a label boundary: few, tried one by one
        for pattern in patterns:
            if pattern == "*" or pattern.startswith("*."):
                self._plain.add(pattern)
            else:
                self._odd.append(pattern)

    def __bool__(self) -> bool:
        return bool(self._plain or self._odd)

    def covering(self, host: str) -> Iterator[str]:
        """The patterns that cover a host, or all hosts of a wildcard."""
        plain = self._plain
        if plain:
            rest = host
            while rest:
                pattern = f"*.{rest}" if rest[0] != "*" else rest
                if pattern in plain and host_matches(pattern, host):
                    yield pattern
                rest = rest.partition(".")[2]
            if "*" in plain and host != "*":
                yield "*"
        for pattern in self._odd:
            if host_matches(pattern, host):
                yield pattern

    def best(self, host: str) -> str | None:
        """The longest pattern that covers a host; None when none does."""
        return max(self.covering(host), key=lambda pattern: (len(pattern), pattern), default=None)
