"""Environment variables of a container."""

from __future__ import annotations

from collections.abc import Mapping

from discovery.inject.documents import Json, list_of

__all__ = ["set_env", "take_env"]


def take_env(container: Json, name: str) -> str | None:
    """The value of a variable, which is taken off; None if there is none."""
    variables = list_of(container, "env")
    found = next((variable for variable in variables if variable.get("name") == name), None)
    if found is None:
        return None
    container["env"] = [variable for variable in variables if variable.get("name") != name]
    return str(found.get("value", ""))


def set_env(container: Json, variables: Mapping[str, str]) -> None:
    """Give variables new values, at the end, in order of their names."""
    if not variables:
        return
    kept = [variable for variable in list_of(container, "env") if variable.get("name") not in variables]
    container["env"] = [*kept, *({"name": name, "value": variables[name]} for name in sorted(variables))]
