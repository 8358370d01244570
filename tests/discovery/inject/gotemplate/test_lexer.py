"""From text to tokens."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.inject.gotemplate.errors import ParseError
from discovery.inject.gotemplate.lexer import Token, TokenKind, tokens


def words(source: str) -> list[str]:
    """The texts of all tokens."""
    return [token.text for token in tokens("t", source)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a{{.B}}c", ["a", "{{", ".B", "}}", "c"]),
        ("a \n{{- .B -}}\t\n c", ["a", "{{", ".B", "}}", "c"]),
        ("{{-3}}", ["{{", "-3", "}}"]),
        ("a {{/* no }} end */}} b", ["a ", " b"]),
        ("a {{- /* gone */ -}} b", ["a", "b"]),
        ("{{$x := `r\n`}}", ["{{", "$x", ":=", "`r\n`", "}}"]),
        (r'{{"a\"}}" | f}}', ["{{", r'"a\"}}"', "|", "f", "}}"]),
        ("{{(.A.B 1).C}}", ["{{", "(", ".A", ".B", "1", ")", ".C", "}}"]),
        ("{{'x' 0x1F 1e3 .5}}", ["{{", "'x'", "0x1F", "1e3", ".5", "}}"]),
    ],
)
def test_words(source: str, expected: list[str]) -> None:
    """White space that the dashes eat is gone, comments too; everything else is kept."""
    assert words(source) == expected


def test_tokens_know_their_line_and_what_stands_before() -> None:
    """Messages name lines; `.A .B` are two values, `.A.B` is one."""
    found = list(tokens("t", "x\n{{/*\n*/}}{{ .A.B\n .C }}"))
    fields = [token for token in found if token.kind is TokenKind.FIELD]
    assert fields == [
        Token(TokenKind.FIELD, ".A", 3, spaced=True),
        Token(TokenKind.FIELD, ".B", 3, spaced=False),
        Token(TokenKind.FIELD, ".C", 4, spaced=True),
    ]


@pytest.mark.parametrize(
    ("source", "problem"),
    [("{{ .A", "not closed"), ('{{ "a', "must end"), ("{{ # }}", "unexpected '#'"), ('{{ "a\nb" }}', "must end")],
)
def test_what_is_no_token_is_refused(source: str, problem: str) -> None:
    """With the line and what is wrong."""
    with pytest.raises(ParseError, match=problem):
        words(source)


@given(st.text())
def test_text_without_actions_stays(text: str) -> None:
    """Whatever has no braces is one text."""
    source = text.replace("{", "")
    assert "".join(words(source)) == source
