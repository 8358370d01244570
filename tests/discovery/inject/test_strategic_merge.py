"""Strategic merge patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.inject.errors import PodError
from discovery.inject.strategic_merge import strategic_merge


def named(*names: str) -> list[dict[str, str]]:
    """Items of a list that is merged by name."""
    return [{"name": name} for name in names]


@pytest.mark.parametrize(
    ("original", "patch", "expected"),
    [
        ({"a": 1}, {"b": 2}, {"a": 1, "b": 2}),
        ({"a": {"x": 1}}, {"a": {"y": 2}}, {"a": {"x": 1, "y": 2}}),
        ({"a": 1}, {"a": None}, {}),
        ({}, {"a": {"b": None, "c": 1}}, {"a": {"c": 1}}),
        ({"args": [1, 2]}, {"args": [3]}, {"args": [3]}),
        ({"env": named("a")}, {"env": [{"name": "a", "value": "1"}]}, {"env": [{"name": "a", "value": "1"}]}),
        ({"containers": named("a", "b")}, {"containers": named("c")}, {"containers": named("c", "a", "b")}),
        ({"containers": named("a", "b")}, {"containers": named("b", "c")}, {"containers": named("a", "b", "c")}),
        ({"containers": named("a", "b", "c")}, {"containers": named("c", "a")}, {"containers": named("b", "c", "a")}),
        ({"finalizers": ["a"]}, {"finalizers": ["b", "a"]}, {"finalizers": ["b", "a"]}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"$patch": "replace", "z": 3}}, {"a": {"z": 3}}),
        ({"a": {"x": 1}}, {"a": {"$patch": "delete"}}, {"a": {}}),
        ({"env": named("a", "b")}, {"env": [{"$patch": "delete", "name": "a"}]}, {"env": named("b")}),
        ({"env": named("a", "b")}, {"env": [{"$patch": "replace"}, {"name": "c"}]}, {"env": named("c")}),
        ({"a": {"x": 1, "y": 2}}, {"a": {"$retainKeys": ["x", "z"], "z": 3}}, {"a": {"x": 1, "z": 3}}),
        ({"finalizers": ["a", "b"]}, {"$deleteFromPrimitiveList/finalizers": ["a"]}, {"finalizers": ["b"]}),
        ({"env": named("a")}, {"$setElementOrder/env": named("a")}, {"env": named("a")}),
        (
            {"volumeMounts": [{"mountPath": "/a", "name": "x"}]},
            {"volumeMounts": [{"mountPath": "/a", "name": "y"}]},
            {"volumeMounts": [{"mountPath": "/a", "name": "y"}]},
        ),
        (
            {"ports": [{"containerPort": 1}]},
            {"ports": [{"containerPort": 2}]},
            {"ports": [{"containerPort": 2}, {"containerPort": 1}]},
        ),
        ({"env": named("a")}, {"env": []}, {"env": named("a")}),
    ],
)
def test_merging(original: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    """As kubectl and the API server merge; the inputs stay as they were."""
    before = copy.deepcopy((original, patch))
    assert strategic_merge(original, patch) == expected
    assert (original, patch) == before


@pytest.mark.parametrize(
    ("patch", "problem"),
    [
        ({"env": [{"value": "x"}]}, "want objects with 'name'"),
        ({"$patch": "wrong"}, "unknown"),
        ({"env": ["x"]}, "env"),
    ],
)
def test_what_cannot_be_merged(patch: dict[str, Any], problem: str) -> None:
    """Is told."""
    with pytest.raises(PodError, match=problem):
        strategic_merge({}, patch)


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.lists(st.sampled_from("abcdef"), unique=True))
def test_merging_twice_is_merging_once(before: list[str], patch: list[str]) -> None:
    """Nothing is lost, the patch's order is kept, and a second time changes nothing."""
    once = strategic_merge({"containers": named(*before)}, {"containers": named(*patch)})
    names = [item["name"] for item in once["containers"]]
    assert sorted(names) == sorted({*before, *patch})
    assert [name for name in names if name in patch] == patch
    assert strategic_merge(once, {"containers": named(*patch)}) == once
