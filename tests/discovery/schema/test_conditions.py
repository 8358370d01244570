from __future__ import annotations

from typing import Any

import msgspec
import pytest

from discovery.schema.conditions import ObjectState, read_state

META: dict[str, Any] = {"uid": "u", "generation": 3, "resourceVersion": "7", "name": "a"}
READY = {"type": "Ready", "status": "True", "foreign": {"field": 1}}


@pytest.mark.parametrize(
    ("status", "conditions"),
    [
        ({"conditions": [READY]}, (READY,)),
        ({"conditions": None}, ()),
        ({}, ()),
        ({"conditions": "none"}, ()),
        ("fine", ()),
        ({"conditions": [1]}, ()),
    ],
)
def test_state_is_read_whatever_the_status_is(status: Any, conditions: tuple[dict[str, Any], ...]) -> None:
    """Conditions are kept as they are written, also the fields of others; nonsense counts as none."""
    data = msgspec.json.encode({"metadata": META, "spec": {"x": 1}, "status": status})
    assert read_state(data) == ObjectState(uid="u", generation=3, version="7", conditions=conditions)


def test_object_without_a_status_has_no_conditions() -> None:
    """As it was just made."""
    assert read_state(msgspec.json.encode({"metadata": META})).conditions == ()


def test_what_is_no_object_is_an_error() -> None:
    """There is nothing to say a status of."""
    with pytest.raises(msgspec.DecodeError):
        read_state(b"[]")
