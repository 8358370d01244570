"""Environment variables."""

from __future__ import annotations

from discovery.inject.documents import Json
from discovery.inject.environment import set_env, take_env


def test_new_values_come_last_in_order() -> None:
    """Old ones of these names are gone."""
    container: Json = {"env": [{"name": "B", "value": "old"}, {"name": "X", "value": "x"}]}
    set_env(container, {"B": "new", "A": "a"})
    assert container["env"] == [
        {"name": "X", "value": "x"},
        {"name": "A", "value": "a"},
        {"name": "B", "value": "new"},
    ]
    set_env(container, {})
    assert len(container["env"]) == 3


def test_taking_a_variable_off() -> None:
    """Its value, or None."""
    container: Json = {"env": [{"name": "A", "value": "a"}, {"name": "B"}]}
    assert take_env(container, "A") == "a"
    assert take_env(container, "B") == ""
    assert take_env(container, "C") is None
    assert container["env"] == []
