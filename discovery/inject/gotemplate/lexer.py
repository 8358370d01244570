"""The words of a Go template: texts, and the tokens between ``{{`` and ``}}``.

Spec: https://pkg.go.dev/text/template#hdr-Text_and_spaces
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from enum import StrEnum
from typing import Final, NamedTuple

from discovery.inject.gotemplate.errors import ParseError

__all__ = ["KEYWORDS", "Token", "TokenKind", "tokens"]

KEYWORDS: Final = frozenset({"if", "else", "end", "range", "with", "template", "define", "block", "break", "continue"})

_OPEN: Final = re.compile(r"\{\{(?:-(?=[ \t\r\n]))?")
_COMMENT: Final = re.compile(r"[ \t\r\n]*/\*.*?\*/(?:[ \t\r\n]+-)?\}\}", re.DOTALL)
_CLOSE: Final = re.compile(r"[ \t\r\n]+-\}\}|\}\}")
_SPACE: Final = re.compile(r"[ \t\r\n]+")
_SPACES: Final = " \t\r\n"


class TokenKind(StrEnum):
    """What a token is."""

    TEXT = "text"
    OPEN = "{{"
    CLOSE = "}}"
    NAME = "name"
    FIELD = "field"
    VARIABLE = "variable"
    DOT = "dot"
    NUMBER = "number"
    STRING = "string"
    CHARACTER = "character"
    SIGN = "sign"


class Token(NamedTuple):
    """One word. ``spaced``: white space stands before it, which tells ``.A.B`` from ``.A .B``."""

    kind: TokenKind
    text: str
    line: int
    spaced: bool = False


_WORDS: Final = (
    (TokenKind.STRING, re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`')),
    (TokenKind.CHARACTER, re.compile(r"'(?:[^'\\\n]|\\.)+'")),
    (
        TokenKind.NUMBER,
        re.compile(
            r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[oO][0-7_]+|0[bB][01_]+|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)"
            r"(?:[eE][-+]?[0-9]+)?)"
        ),
    ),
    (TokenKind.FIELD, re.compile(r"\.[^\W\d]\w*")),
    (TokenKind.VARIABLE, re.compile(r"\$\w*")),
    (TokenKind.NAME, re.compile(r"[^\W\d]\w*")),
    (TokenKind.DOT, re.compile(r"\.")),
    (TokenKind.SIGN, re.compile(r":=|[=|(),]")),
)


def tokens(name: str, source: str) -> Iterator[Token]:
    """All tokens of a template; ``name`` is for messages.

    Raises:
        ParseError: an action or string does not end, or has a character that no token begins with.
    """
    at, line, trim = 0, 1, False
    while at < len(source):
        opening = _OPEN.search(source, at)
        text = source[at : opening.start()] if opening else source[at:]
        shown = text.lstrip(_SPACES) if trim else text
        if opening and opening.group().endswith("-"):
            shown = shown.rstrip(_SPACES)
        if shown:
            yield Token(TokenKind.TEXT, shown, line)
        line += text.count("\n")
        if opening is None:
            return
        comment = _COMMENT.match(source, opening.end())
        if comment is not None:
            end = comment.end()
        else:
            yield Token(TokenKind.OPEN, "{{", line)
            end = yield from _action(name, source, opening.end(), line)
        trim = source.startswith("-}}", end - 3) and source[end - 4] in _SPACES
        line += source.count("\n", opening.start(), end)
        at = end


def _action(name: str, source: str, at: int, line: int) -> Generator[Token, None, int]:
    """The tokens up to the closing braces; returns where the text goes on."""
    spaced = True
    while at < len(source):
        closing = _CLOSE.match(source, at)
        if closing is not None:
            yield Token(TokenKind.CLOSE, "}}", line)
            return closing.end()
        blank = _SPACE.match(source, at)
        if blank is not None:
            line += blank.group().count("\n")
            at, spaced = blank.end(), True
            continue
        for kind, pattern in _WORDS:
            word = pattern.match(source, at)
            if word is not None:
                yield Token(kind, word.group(), line, spaced)
                line += word.group().count("\n")
                at, spaced = word.end(), False
                break
        else:
            raise ParseError(name, line, f"unexpected {source[at]!r} in an action" + _advice(source[at]))
    raise ParseError(name, line, "an action is not closed, want '}}'")


def _advice(character: str) -> str:
    return "; a string or character constant must end on its line" if character in "\"'" else ""
