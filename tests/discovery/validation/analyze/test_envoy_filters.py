from __future__ import annotations

import pytest

from tests.kit.analysis import found

NAME = "envoyfilter.EnvoyPatchAnalyzer"


def _filter(patch: str, more: str = "") -> str:
    head = "apiVersion: networking.istio.io/v1alpha3\nkind: EnvoyFilter\nmetadata: {name: f}\n"
    return f"{head}spec: {{configPatches: [{{{patch}}}]{more}}}\n"


@pytest.mark.parametrize(
    ("patch", "codes"),
    [
        ("applyTo: HTTP_FILTER, patch: {operation: INSERT_BEFORE}", ["IST0151"]),
        ("applyTo: HTTP_FILTER, patch: {operation: INSERT_FIRST}", []),
        ("applyTo: CLUSTER, patch: {operation: MERGE}", []),
        ("applyTo: CLUSTER, match: {proxy: {proxyVersion: a}}, patch: {operation: MERGE}", ["IST0155"]),
        ("applyTo: CLUSTER, patch: {operation: REPLACE}", ["IST0152", "IST0151"]),
        ("applyTo: HTTP_ROUTE, patch: {operation: ADD}", ["IST0153"]),
        ("applyTo: ROUTE_CONFIGURATION, patch: {operation: REMOVE}", ["IST0154"]),
        ("applyTo: VIRTUAL_HOST, patch: {operation: ADD}", []),
    ],
)
def test_patches_find_their_place(patch: str, codes: list[str]) -> None:
    """Without priority, what is relative depends on the order; some operations do not exist."""
    assert found(NAME, _filter(patch)) == [f"{code} EnvoyFilter shop/f" for code in codes]


def test_a_priority_is_an_order() -> None:
    """Then relative operations are sure of what is there."""
    patch = "applyTo: HTTP_FILTER, match: {proxy: {proxyVersion: a}}, patch: {operation: INSERT_BEFORE}"
    assert found(NAME, _filter(patch, ", priority: 1")) == []
    assert found(NAME, _filter(patch)) == ["IST0151 EnvoyFilter shop/f", "IST0155 EnvoyFilter shop/f"]
