"""Small questions to pods."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.inject.documents import (
    annotations_of,
    copied,
    find_container,
    find_proxy,
    go_bool,
    labels_of,
    list_of,
    mapping_of,
)
from discovery.inject.errors import PodError


def test_what_is_not_there_is_empty() -> None:
    """At any depth, null too."""
    assert mapping_of({"a": None}, "a", "b") == {}
    assert list_of({}, "spec", "containers") == []
    assert annotations_of({"metadata": {"annotations": None}}) == {}
    assert labels_of({"metadata": {"labels": {"a": "b"}}}) == {"a": "b"}


@pytest.mark.parametrize(
    ("pod", "problem"),
    [
        ({"metadata": {"labels": {"a": 1}}}, "put it in quotes"),
        ({"metadata": {"labels": "x"}}, "want an object"),
        ({"metadata": []}, None),
    ],
)
def test_labels_of_a_wrong_form_are_told(pod: dict[str, Any], problem: str | None) -> None:
    """The API server would refuse them, but files come here first."""
    if problem is None:
        assert labels_of(pod) == {}
        return
    with pytest.raises(PodError, match=problem):
        labels_of(pod)


def test_lists_of_a_wrong_form_are_told() -> None:
    """Neither texts nor maps are taken for containers."""
    for wrong in ("x", ["x"], {"a": 1}):
        with pytest.raises(PodError, match="want a list of objects"):
            list_of({"spec": {"containers": wrong}}, "spec", "containers")


def test_the_proxy_is_found_wherever_it_is() -> None:
    """A native sidecar is an init container."""
    proxy = {"name": "istio-proxy"}
    assert find_proxy({"spec": {"containers": [{"name": "a"}, proxy]}}) == proxy
    assert find_proxy({"spec": {"initContainers": [proxy]}}) == proxy
    assert find_proxy({"spec": {}}) is None
    assert find_container([{"name": "a"}], "b") is None


def test_a_copy_shares_nothing() -> None:
    """Changing it leaves the original alone."""
    original: dict[str, Any] = {"a": [1]}
    copied(original)["a"].append(2)
    assert original == {"a": [1]}


def test_booleans_in_gos_spellings() -> None:
    """As strconv.ParseBool takes them, and nothing else."""
    assert [go_bool(text) for text in ("t", "TRUE", "0", "false", "yes", "")] == [True, True, False, False, None, None]
