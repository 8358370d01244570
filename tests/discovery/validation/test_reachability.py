from __future__ import annotations

from typing import Any

import pytest

from discovery.schema.proto_json import read
from discovery.schema.virtual_service import VirtualService
from discovery.validation.reachability import shadowed

TO = [{"destination": {"host": "a"}}]


def _http(*matches: list[dict[str, Any]]) -> dict[str, Any]:
    return {"hosts": ["a"], "http": [{"match": match, "route": TO} for match in matches]}


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (_http([], []), [("spec.http[1]", "spec.http[0]")]),
        (_http([{"uri": {"prefix": "/"}}], [{"uri": {"prefix": "/a"}}]), [("spec.http[1]", "spec.http[0]")]),
        (_http([{"uri": {"prefix": "/a"}}], []), []),
        (_http([{"uri": {"prefix": "/"}, "port": 80}], []), []),
        (_http([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/a"}}]), [("spec.http[1]", "spec.http[0]")]),
        (
            _http([{"uri": {"prefix": "/a"}, "name": "x"}], [{"uri": {"prefix": "/a"}}]),
            [("spec.http[1]", "spec.http[0]")],
        ),
        (
            _http([{"uri": {"prefix": "/a"}}], [{"uri": {"prefix": "/a"}}, {"uri": {"prefix": "/b"}}]),
            [("spec.http[1].match[0]", "spec.http[0]")],
        ),
        (_http([{"headers": {"a": {"exact": "1"}, "b": {"exact": "2"}}}], [{"headers": {"a": {"exact": "1"}}}]), []),
        (
            {"hosts": ["a"], "tcp": [{"route": TO}, {"match": [{"port": 1}], "route": TO}]},
            [("spec.tcp[1]", "spec.tcp[0]")],
        ),
        ({"hosts": ["a"], "tcp": [{"match": [{"port": 1}], "route": TO}, {"route": TO}]}, []),
    ],
)
def test_what_an_earlier_rule_takes(spec: dict[str, Any], found: list[tuple[str, str]]) -> None:
    """Equal matches and rules for everything; what is only nearly so is let be."""
    read_spec, problems = read(VirtualService, spec)
    assert read_spec is not None, problems
    assert [(never.at, never.by) for never in shadowed(read_spec)] == found
