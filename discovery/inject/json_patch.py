"""The difference of two documents as a JSON Patch, kept small: the API server logs and audits every patch.

Spec: https://www.rfc-editor.org/rfc/rfc6902
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["diff"]


def diff(before: Any, after: Any) -> list[dict[str, Any]]:
    """Operations that make ``after`` of ``before``; none if they are equal."""
    return list(_diff(before, after, ""))


def _diff(before: Any, after: Any, path: str) -> Iterator[dict[str, Any]]:
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _objects(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, path)
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield {"op": "replace", "path": path, "value": after}


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


def _objects(before: Mapping[str, Any], after: Mapping[str, Any], path: str) -> Iterator[dict[str, Any]]:
    for key in before:
        if key not in after:
            yield {"op": "remove", "path": f"{path}/{_escaped(key)}"}
    for key, value in after.items():
        place = f"{path}/{_escaped(key)}"
        if key in before:
            yield from _diff(before[key], value, place)
        else:
            yield {"op": "add", "path": place, "value": value}


def _name(item: Any) -> Any:
    """What an item of a list is known by; items of equal names are compared to each other."""
    if not isinstance(item, Mapping):
        return repr(item)
    return next((item[key] for key in ("name", "mountPath", "containerPort", "uid") if key in item), repr(item))


def _lists(before: list[Any], after: list[Any], path: str) -> Iterator[dict[str, Any]]:
    """Take out what is gone, from the end; then put in and change, from the start."""
    pairs = _common(list(map(_name, before)), list(map(_name, after)))
    kept = {old for old, _ in pairs}
    for old in reversed(range(len(before))):
        if old not in kept:
            yield {"op": "remove", "path": f"{path}/{old}"}
    matched = {new: old for old, new in pairs}
    for new, value in enumerate(after):
        if new in matched:
            yield from _diff(before[matched[new]], value, f"{path}/{new}")
        else:
            yield {"op": "add", "path": f"{path}/{new}", "value": value}


def _common(before: list[Any], after: list[Any]) -> list[tuple[int, int]]:
    """Places of a longest common subsequence."""
    lengths = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for old in reversed(range(len(before))):
        for new in reversed(range(len(after))):
            same = before[old] == after[new]
            best = max(lengths[old + 1][new], lengths[old][new + 1])
            lengths[old][new] = lengths[old + 1][new + 1] + 1 if same else best
    pairs: list[tuple[int, int]] = []
    old = new = 0
    while old < len(before) and new < len(after):
        if before[old] == after[new]:
            pairs.append((old, new))
            old, new = old + 1, new + 1
        elif lengths[old + 1][new] >= lengths[old][new + 1]:
            old += 1
        else:
            new += 1
    return pairs
