"""Label selectors."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.selectors import selects
from discovery.schema.mesh_config import LabelSelector
from discovery.schema.proto_json import read

LABELS = {"app": "web", "tier": "front"}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, False),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web", "db"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "none", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "none", "operator": "In", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_selection(document: dict[str, Any], expected: bool) -> None:
    """Everything that is written must hold; nothing written selects nothing."""
    selector, problems = read(LabelSelector, document)
    assert problems == ()
    assert selector is not None
    assert selects(selector, LABELS) is expected
