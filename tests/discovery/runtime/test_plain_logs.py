from __future__ import annotations

import io
import json

import pytest

from discovery.runtime.logs import LEVELS, parse_levels
from discovery.runtime.plain_logs import plain_backend, render_json, render_line


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", "x"),
        (3, "3"),
        ("", "''"),
        ("two words", "'two words'"),
        ("a\nb", r"'a\nb'"),
        (None, "None"),
        ("a=b", "'a=b'"),
    ],
)
def test_a_message_is_one_line(value: object, text: str) -> None:
    """Values with white space or quotes are quoted, so that no value can forge a line or a fact."""
    line = render_line("xds", "info", "push sent", {"key": value}, time="T")
    assert line == f"[info     ] {'push sent':<30} scope=xds key={text} time=T"


def test_json_takes_any_value() -> None:
    """What JSON does not know is written as text."""
    document = json.loads(render_json("xds", "warning", "odd", {"error": ValueError("x"), "n": 1}, time="T"))
    assert document == {"scope": "xds", "error": "x", "n": 1, "event": "odd", "level": "warning", "time": "T"}


def test_levels_are_by_scope() -> None:
    """What is below its scope's level is dropped."""
    stream = io.StringIO()
    write = plain_backend(parse_levels("default:warn,xds:debug"), LEVELS, as_json=False, stream=stream)
    write("xds", "debug", "kept", {})
    write("ca", "info", "dropped", {})
    write("ca", "error", "kept too", {})
    assert [line.split("]")[1].split("  ")[0].strip() for line in stream.getvalue().splitlines()] == [
        "kept",
        "kept too",
    ]
