"""Differences as JSON Patch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.inject.json_patch import diff
from tests.kit.kube_api.patching import json_patch


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        ({"a": 1}, {"a": 2}, [{"op": "replace", "path": "/a", "value": 2}]),
        ({"a": True}, {"a": 1}, [{"op": "replace", "path": "/a", "value": 1}]),
        ({"a/b~": 1}, {}, [{"op": "remove", "path": "/a~1b~0"}]),
        (
            {"l": [{"name": "a"}]},
            {"l": [{"name": "x"}, {"name": "a"}]},
            [{"op": "add", "path": "/l/0", "value": {"name": "x"}}],
        ),
        ({"l": [1, 2, 3]}, {"l": [1, 3]}, [{"op": "remove", "path": "/l/1"}]),
        (
            {"l": [{"name": "a", "v": 1}, {"name": "b"}]},
            {"l": [{"name": "a", "v": 2}, {"name": "b"}]},
            [{"op": "replace", "path": "/l/0/v", "value": 2}],
        ),
    ],
)
def test_patches_are_small(before: Any, after: Any, expected: list[dict[str, Any]]) -> None:
    """Only what is different is said."""
    assert diff(before, after) == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["a", "b/~"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["name", "a/b", "c~", ""]), inner, max_size=4)
        | st.lists(st.fixed_dictionaries({"name": st.sampled_from("abc"), "v": inner}), max_size=4)
    ),
    max_leaves=12,
)


@given(st.fixed_dictionaries({"x": JSON}), st.fixed_dictionaries({"x": JSON}))
def test_a_patch_makes_the_one_of_the_other(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Whatever the documents; applied by the patcher of the API server's double."""
    patched = json_patch(copy.deepcopy(before), diff(before, after))
    assert patched == after
    assert diff(patched, after) == []
