from __future__ import annotations

from discovery.schema.selector import PolicySelector, WorkloadSelector


def test_both_spellings_of_a_selector() -> None:
    """Networking kinds write ``labels``, policy kinds ``matchLabels``."""
    assert WorkloadSelector(labels={"a": "b"}).wanted == PolicySelector(match_labels={"a": "b"}).wanted == {"a": "b"}
    assert WorkloadSelector().wanted == {}
