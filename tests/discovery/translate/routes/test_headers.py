"""Header operations."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.virtual_service import HeaderOperations, Headers
from discovery.translate.routes.headers import add_headers, authority_of


def option(key: str, value: str, action: str) -> dict[str, Any]:
    return {"header": {"key": key, "value": value}, "append_action": action}


def test_set_overwrites_and_add_appends_sorted_by_name() -> None:
    """``set`` before ``add``, each by name; what is removed stays in order."""
    fields: dict[str, Any] = {}
    request = HeaderOperations(set={"b": "1", "a": "2"}, add={"c": "3"}, remove=("z", "y"))
    add_headers(fields, Headers(request=request, response=HeaderOperations(remove=("x",))))
    assert fields == {
        "request_headers_to_add": [
            option("a", "2", "OVERWRITE_IF_EXISTS_OR_ADD"),
            option("b", "1", "OVERWRITE_IF_EXISTS_OR_ADD"),
            option("c", "3", "APPEND_IF_EXISTS_OR_ADD"),
        ],
        "request_headers_to_remove": ["z", "y"],
        "response_headers_to_remove": ["x"],
    }


def test_operations_add_up() -> None:
    """Those of a destination come behind those of its route."""
    fields: dict[str, Any] = {}
    for name in ("route", "destination"):
        add_headers(fields, Headers(response=HeaderOperations(set={name: "x"})))
    assert [added["header"]["key"] for added in fields["response_headers_to_add"]] == ["route", "destination"]
    add_headers(fields, None)


def test_what_envoy_refuses_is_left_out() -> None:
    """The authority is no header to it, and other names with a colon are not for users."""
    fields: dict[str, Any] = {}
    names = {"Host": "a", ":authority": "b", ":path": "c"}
    add_headers(fields, Headers(request=HeaderOperations(set=names, remove=tuple(names))))
    assert fields == {}


@pytest.mark.parametrize(
    ("operations", "authority"),
    [
        (HeaderOperations(set={"host": "a"}, add={"Host": "b"}), "a"),
        (HeaderOperations(add={":authority": "b"}), "b"),
        (HeaderOperations(set={"x": "a"}), ""),
        (None, ""),
    ],
)
def test_authority(operations: HeaderOperations | None, authority: str) -> None:
    """The authority is what ``set`` says, else ``add``."""
    assert authority_of(Headers(request=operations)) == authority
    assert authority_of(None) == ""
