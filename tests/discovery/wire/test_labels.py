"""Label keys are an interface."""

from __future__ import annotations

from discovery.wire import labels


def test_keys_are_qualified_and_distinct() -> None:
    """All but Istio's oldest one carry a domain."""
    keys = {name: getattr(labels, name) for name in labels.__all__}
    assert len(set(keys.values())) == len(keys)
    assert [name for name, key in keys.items() if "/" not in key] == ["LOCALITY_LEGACY"]
