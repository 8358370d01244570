"""Label selectors: which workloads a service, policy or Sidecar means."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["matches"]


def matches(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether ``labels`` has every pair of ``selector``; the empty selector matches everything."""
    return selector.items() <= labels.items()
