from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.bootstrap.podinfo import parse_podinfo


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('app="web"\nversion="v1"\n', {"app": "web", "version": "v1"}),
        (r'a="x\ny\t\"q\"\\"', {"a": 'x\ny\t"q"\\'}),
        (r'a="\u00e9\x41\101\U0001f600"', {"a": "éAA😀"}),
        ('a="k=v"', {"a": "k=v"}),
        ("", {}),
    ],
)
def test_values_are_go_strings(text: str, values: dict[str, str]) -> None:
    """Every escape of Go, and an equals sign in the value."""
    assert parse_podinfo(text) == values


@pytest.mark.parametrize(
    "line", ["app", "app=web", 'app="web', 'app="a"b"', r'a="\q"', r'a="\ud800"', r'a="\777"', '="x"']
)
def test_a_bad_line_is_skipped(line: str) -> None:
    """The lines around it are read."""
    assert parse_podinfo(f'a1="1"\n{line}\nz1="2"') == {"a1": "1", "z1": "2"}


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])))
def test_what_json_quotes_is_read(value: str) -> None:
    """Any printable value survives; JSON and Go quote these alike."""
    assert parse_podinfo(f"key={json.dumps(value, ensure_ascii=False)}") == {"key": value}
