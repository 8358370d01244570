"""Route matches in a few characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["describe_match"]


def describe_match(match: Mapping[str, Any]) -> str:
    """``/reviews*``, ``/exact``, ``PathPrefix:/get``, ``regex ...``; other conditions are not shown."""
    parts = []
    if match.get("prefix"):
        parts.append(f"{match['prefix']}*")
    if match.get("pathSeparatedPrefix"):
        parts.append(f"PathPrefix:{match['pathSeparatedPrefix']}")
    if match.get("path"):
        parts.append(match["path"])
    if match.get("safeRegex"):
        parts.append(f"regex {match['safeRegex'].get('regex', '')}")
    return " ".join(parts)
