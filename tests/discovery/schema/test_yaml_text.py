from __future__ import annotations

import math
import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.yaml_text import MAX_DEPTH, Piece, YamlError, parse_yaml, split_documents

# PyYAML writes 0E0 without quotes, as it is a text for YAML 1.1; for Go's library, and for us, it is a number.
NUMBER = re.compile(r"[-+]?[0-9_]+[eE][-+]?[0-9]+")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C"])).filter(lambda text: not NUMBER.fullmatch(text))
KEY = st.text("abc<-_.", min_size=1, max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEY, inner, max_size=3),
    max_leaves=12,
)


@given(JSON)
def test_what_a_yaml_writer_writes_is_read_back(value: Any) -> None:
    """Data that JSON can hold survives the way through YAML text."""
    assert parse_yaml(yaml.dump(value, Dumper=yaml.CSafeDumper, allow_unicode=True)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None), ("~", None), ("null", None), ("yes", True), ("Off", False), ("y", "y"), ("'yes'", "yes"),
        ("12", 12), ("-0x1F", -31), ("010", 8), ("0o17", 15), ("1_000", 1000), ("1.5", 1.5), ("1e3", 1000.0),
        ("v1", "v1"), ("1.2.3", "1.2.3"), ("10.0.0.1", "10.0.0.1"), ("2024-01-02", "2024-01-02"), ("12:30", "12:30"),
        ("!!str 12", "12"), ("! 12", "12"), ("!!int 12", 12), ("0x", "0x"), ("-", [None]), (".inf", math.inf),
        ("{8080: a, true: b}", {"8080": "a", "true": "b"}), ("a: |\n  x\n  y\n", {"a": "x\ny\n"}),
    ],
)  # fmt: skip
def test_scalars_are_what_kubernetes_makes_of_them(text: str, value: object) -> None:
    """Dates stay texts, YAML 1.1's booleans and octal numbers are read, keys are texts."""
    assert parse_yaml(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1.2.3.4, 001:db8::]", {"a": ["1.2.3.4", "001:db8::"]}),
        (
            "a: [::1, '::2', fe80::/10 ]\nb: [ 2001:db8::1,\n  :: ]",
            {"a": ["::1", "::2", "fe80::/10"], "b": ["2001:db8::1", "::"]},
        ),
        ("a: |\n  [::1, x]\nb: [1::]", {"a": "[::1, x]\n", "b": ["1::"]}),
    ],
)
def test_addresses_in_a_list_need_no_quotes(text: str, value: object) -> None:
    """An IPv6 address between brackets is a text for YAML 1.2, though libyaml stumbles over it."""
    assert parse_yaml(text) == value


def test_other_colons_in_a_list_are_still_refused() -> None:
    """The cure is for addresses alone."""
    with pytest.raises(YamlError, match=r"line 1: .*unexpected ':'"):
        parse_yaml("a: [x::]")


def test_aliases_and_merge_keys() -> None:
    """Anchors are shared values; ``<<`` fills in what a mapping does not say itself."""
    assert parse_yaml("[&a {x: 1, y: 1}, {y: 2, <<: *a}, *a]") == [{"x": 1, "y": 1}, {"y": 2, "x": 1}, {"x": 1, "y": 1}]
    assert parse_yaml("{a: &k v, b: {<<: [{x: 1}, {x: 2, z: 3}], w: *k}}")["b"] == {"x": 1, "z": 3, "w": "v"}


LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join([f'*{before}'] * 10)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "problem", "line"),
    [
        ("a: 1\nb: {c", "did not find expected", 2),
        ("a: 1\nb: {c\n", "did not find expected", 2),
        ("a: {b: 1\nc: 2", "flow mapping", 2),
        ("a: 1\nb: 2\na: 3", "the key 'a' is written twice", 3),
        ("a: *b", "no anchor before it", 1),
        ("a: &b [*b]", "stands within it", 1),
        ("[" * 100_000, f"more than {MAX_DEPTH} levels", 1),
        ("- " * 100_000, f"more than {MAX_DEPTH} levels", 1),
        ("? [a]\n: b", "a key must be a text", 1),
        (LAUGHS, "with its aliases written out", 6),
        ("x\ny: \x00", "is not allowed", 2),
        ("\ud800", "not Unicode", 1),
        ("a: !custom b", "the tag !custom is not supported", 1),
        ("<<: 1", "<< takes", 1),
        ("<<: [1]", "<< takes", 1),
        ("&a x: {*a : 1}", "an alias as a key", 1),
        ("a\n...\nb", "document", 3),
        ("\tx: 1\n\ty: 2", "", 1),
    ],
)  # fmt: skip
def test_what_is_no_safe_yaml_says_where_and_why(text: str, problem: str, line: int) -> None:
    """Broken, ambiguous and hostile texts are errors with a line, never a crash."""
    with pytest.raises(YamlError) as caught:
        parse_yaml(text)
    assert problem in caught.value.problem
    assert caught.value.line == line


def test_documents_are_cut_at_markers() -> None:
    """Lines of the stream are kept; comments, directives and empty documents are none."""
    text = "# head\n%YAML 1.2\n---\na: 1\n--- # next\n\n# about b\nb: 2\n---\n...\n--- {c: 3}\n---not a marker\n"
    pieces = split_documents(text)
    assert [piece.line for piece in pieces] == [4, 8, 11]
    assert [parse_yaml(piece.text) for piece in pieces[:2]] == [{"a": 1}, {"b": 2}]
    assert "---not" in pieces[2].text


@given(st.lists(st.sampled_from(["---\n", "--- x\n", "...\n", "a: 1\n", "# c\n", "\n", "  - b", "%T x\n", "---"])))
def test_cutting_keeps_lines_and_text(lines: list[str]) -> None:
    """Every piece stands in the text at the line that it says."""
    text = "".join(lines)
    for line, part in split_documents(text):
        first = part.partition("\n")[0].strip()
        assert first in text.split("\n")[line - 1]


def test_texts_without_markers_are_one_document() -> None:
    """A file may be a single document, with or without comments before it."""
    assert split_documents("") == split_documents("# only\n") == ()
    assert split_documents("a: 1") == (Piece(1, "a: 1"),)
