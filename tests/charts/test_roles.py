"""The roles of the charts as text; whether they are what is needed is judged by an API server in test_permissions."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from tests.kit.helm import of_kind, render
from tests.kit.rights import Right, granted

_PAGE: Final = Path(__file__).resolve().parents[2] / "docs/reference/permissions.md"


def _told(after: str) -> Iterator[Right]:
    """The rights in the first table behind a line that names a template."""
    lines = iter(_PAGE.read_text(encoding="utf-8").splitlines())
    assert any(f"templates/{after}" in line for line in lines)
    for line in lines:
        if line.startswith("#") or "templates/" in line:
            return
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and cells[0] not in ("group", "---"):
            group = "" if cells[0] == "core" else cells[0]
            resources, names, verbs = (cell.split(", ") for cell in cells[1:])
            yield from (Right(verb, group, *what) for verb, *what in product(verbs, resources, names))


@pytest.mark.parametrize(("kind", "file"), [("ClusterRole", "clusterrole.yaml"), ("Role", "role.yaml")])
def test_the_page_tells_what_is_granted(kind: str, file: str) -> None:
    """Every right, once, with the chart's own values."""
    told = list(_told(file))
    assert sorted(told) == sorted(granted(render("discovery", release="istiod"), kind))


def test_nothing_is_granted_by_wildcard() -> None:
    """A kind that is new in a group is not ours to read."""
    assert not [right for right in granted(render("discovery")) if "*" in "".join(right)]


def test_a_gateway_is_granted_nothing() -> None:
    """Nothing in its pod asks the API server for anything; its token is for the control plane."""
    assert of_kind(render("gateway"), "Role") == []
    assert of_kind(render("gateway"), "RoleBinding") == []


@pytest.mark.parametrize(("written", "granted_too"), [("true", True), ("false", False), ("False", False), ("0", False)])
def test_what_is_turned_off_is_not_granted(written: str, *, granted_too: bool) -> None:
    """Without the Gateway API nothing of it may be read, however that is written."""
    rights = granted(render("discovery", {"env": {"PILOT_ENABLE_GATEWAY_API": written}}))
    assert any(right.group == "gateway.networking.k8s.io" for right in rights) is granted_too
