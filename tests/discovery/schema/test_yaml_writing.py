from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.yaml_text import parse_yaml
from discovery.schema.yaml_writing import render_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"])) | st.from_regex(
    r"[-+.]?[0-9oxeE_+-]{1,6}", fullmatch=True
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_what_is_written_is_read_back(value: Any) -> None:
    """Data that JSON can hold survives the way through YAML text, read as Go's library reads and as PyYAML does."""
    for folded in (True, False):
        text = render_yaml(value, folded=folded)
        assert parse_yaml(text) == value
        assert yaml.load(text, Loader=yaml.CSafeLoader) == value


@pytest.mark.parametrize("text", ["1e3", "123e4", "1.e5", "08", "0o14", "+.5", "y", "N", "yes", "null", "1_0", "0x1f"])
def test_texts_that_kubectl_takes_for_something_else_are_in_quotes(text: str) -> None:
    """kubectl reads each of these as a number, a boolean or nothing (seen with its version 1.32)."""
    assert render_yaml({"data": text}) == f"data: '{text}'\n"


@pytest.mark.parametrize("text", ["web", "1.2.3", "10m", "NaN", "0o8", "_1", "10.0.0.1", "größer"])
def test_other_texts_are_written_as_they_are(text: str) -> None:
    """Quotes are only where they are needed."""
    assert render_yaml({"data": text}) == f"data: {text}\n"


def test_keys_keep_their_order_unless_they_shall_not() -> None:
    """Manifests stay as their author ordered them."""
    assert render_yaml({"b": 1, "a": [True]}) == "b: 1\na:\n- true\n"
    assert render_yaml({"b": 1, "a": {}}, sort_keys=True) == "a: {}\nb: 1\n"


def test_long_texts_are_broken_only_where_that_is_asked() -> None:
    """Templates indent line by line, so there a text is one line."""
    words = " ".join(["word"] * 50)
    assert render_yaml([words]).count("\n") > 1
    assert render_yaml([words], folded=False).count("\n") == 1
