"""From tokens to the tree. All templates that a text defines, by name.

Spec: https://pkg.go.dev/text/template#hdr-Actions
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection
from typing import Any, Final

from discovery.inject.gotemplate import nodes
from discovery.inject.gotemplate.errors import ParseError
from discovery.inject.gotemplate.lexer import KEYWORDS, Token, TokenKind, tokens

__all__ = ["parse"]

_MAX_DEPTH: Final = 100  # actions within actions; templates have about ten
_CONSTANTS: Final = {"true": True, "false": False, "nil": None}
_OCTAL: Final = re.compile(r"[-+]?0[0-7]+")
_GOOD_ESCAPES: Final = re.compile(
    r"""(?:[^\\]|\\(?:[abfnrtv\\"']|[0-3][0-7]{2}|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U00(?:0[0-9a-fA-F]|10)[0-9a-fA-F]{4}))*"""
)
_END: Final = Token(TokenKind.CLOSE, "", 0)


def parse(name: str, source: str, functions: Collection[str]) -> dict[str, nodes.Block]:
    """The template ``name`` and those that it defines.

    Raises:
        ParseError: the text is no template, or uses a function or template that is not there.
    """
    parser = _Parser(name, list(tokens(name, source)), functions)
    templates = parser.parse()
    for called, line in parser.calls:
        if called not in templates:
            raise ParseError(name, line, f"template {called!r} is not defined; there is {', '.join(sorted(templates))}")
    return templates


class _Parser:
    """Recursive descent over the tokens of one text."""

    def __init__(self, name: str, words: list[Token], functions: Collection[str]) -> None:
        self._name = name
        self._words = words
        self._at = 0
        self._functions = functions
        self._scopes: list[str] = ["$"]
        self._depth = 0
        self._loops = 0
        self.templates: dict[str, nodes.Block] = {}
        self.calls: list[tuple[str, int]] = []

    def parse(self) -> dict[str, nodes.Block]:
        """The whole text."""
        body, ended_by = self._block()
        if ended_by is not None:
            raise self._error(f"unexpected {{{{{ended_by.text}}}}}")
        self.templates[self._name] = body
        return self.templates

    # -- tokens --------------------------------------------------------------------------------------------------------

    def _peek(self, ahead: int = 0) -> Token:
        place = self._at + ahead
        return self._words[place] if place < len(self._words) else _END

    def _next(self) -> Token:
        token = self._peek()
        self._at += 1
        return token

    def _error(self, problem: str) -> ParseError:
        line = self._words[min(self._at, len(self._words)) - 1].line if self._words else 1
        return ParseError(self._name, line, problem)

    def _expect(self, kind: TokenKind, text: str = "") -> Token:
        token = self._next()
        if token.kind is not kind or (text and token.text != text):
            raise self._error(f"want {text or kind.value}, got {token.text or 'the end of the text'!r}")
        return token

    def _is_sign(self, text: str, ahead: int = 0) -> bool:
        token = self._peek(ahead)
        return token.kind is TokenKind.SIGN and token.text == text

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise self._error(f"more than {_MAX_DEPTH} actions or parentheses within each other")

    # -- blocks --------------------------------------------------------------------------------------------------------

    def _block(self) -> tuple[nodes.Block, Token | None]:
        """Nodes up to ``else`` or ``end``, which is given back, or to the end of the text."""
        found: list[nodes.Node] = []
        scope = len(self._scopes)
        ended_by: Token | None = None
        while self._at < len(self._words):
            token = self._next()
            if token.kind is TokenKind.TEXT:
                found.append(nodes.Text(token.text))
                continue
            word = self._peek()
            if word.kind is TokenKind.NAME and word.text in ("else", "end"):
                ended_by = self._next()
                break
            node = self._action()
            if node is not None:
                found.append(node)
        del self._scopes[scope:]
        return tuple(found), ended_by

    def _action(self) -> nodes.Node | None:
        word = self._peek()
        if word.kind is not TokenKind.NAME or word.text not in KEYWORDS:
            pipe = self._pipe()
            self._expect(TokenKind.CLOSE)
            return nodes.Action(pipe)
        self._next()
        if word.text in ("if", "with", "range"):
            return self._control(word.text)
        if word.text in ("break", "continue"):
            return self._jump(word.text)
        if word.text == "template":
            return self._call(word.line)
        return self._define(word)

    def _jump(self, word: str) -> nodes.Node:
        if not self._loops:
            raise self._error(f"{{{{{word}}}}} outside of {{{{range}}}}")
        self._expect(TokenKind.CLOSE)
        return nodes.Break() if word == "break" else nodes.Continue()

    def _control(self, word: str) -> nodes.Node:
        self._deeper()
        scope = len(self._scopes)
        pipe = self._pipe(in_range=word == "range")
        self._expect(TokenKind.CLOSE)
        self._loops += word == "range"
        then, ended_by = self._block()
        self._loops -= word == "range"
        otherwise: nodes.Block = ()
        if ended_by is not None and ended_by.text == "else":
            otherwise, ended_by = self._else(word)
        else:
            self._close(ended_by, word)
        del self._scopes[scope:]
        self._depth -= 1
        kind: Any = {"if": nodes.If, "with": nodes.With, "range": nodes.Range}[word]
        node: nodes.Node = kind(pipe, then, otherwise)
        return node

    def _else(self, word: str) -> tuple[nodes.Block, Token | None]:
        follow = self._peek()
        if follow.kind is TokenKind.NAME and follow.text == word and word in ("if", "with"):
            self._next()
            return (self._control(word),), None  # its ``end`` closes both
        self._expect(TokenKind.CLOSE)
        body, ended_by = self._block()
        self._close(ended_by, word)
        return body, None

    def _close(self, ended_by: Token | None, word: str) -> None:
        if ended_by is None:
            raise self._error(f"{{{{{word}}}}} has no {{{{end}}}}")
        if ended_by.text != "end":
            raise self._error(f"a second {{{{else}}}} in {{{{{word}}}}}")
        self._expect(TokenKind.CLOSE)

    def _call(self, line: int) -> nodes.Node:
        name = self._string(self._expect(TokenKind.STRING))
        pipe = None if self._peek().kind is TokenKind.CLOSE else self._pipe()
        self._expect(TokenKind.CLOSE)
        self.calls.append((name, line))
        return nodes.TemplateCall(name, pipe, line)

    def _define(self, word: Token) -> nodes.Node | None:
        name = self._string(self._expect(TokenKind.STRING))
        if word.text == "define" and self._depth:
            raise self._error("{{define}} stands within another action, want it at the top")
        pipe = self._pipe() if word.text == "block" else None
        self._expect(TokenKind.CLOSE)
        outer, self._scopes = self._scopes, ["$"]
        loops, self._loops = self._loops, 0
        self._deeper()
        body, ended_by = self._block()
        self._close(ended_by, word.text)
        self._depth -= 1
        self._scopes, self._loops = outer, loops
        self.templates[name] = body
        return nodes.TemplateCall(name, pipe, word.line) if word.text == "block" else None

    # -- pipes ---------------------------------------------------------------------------------------------------------

    def _pipe(self, *, in_range: bool = False) -> nodes.Pipe:
        line = self._peek().line
        names, assigns = self._declarations(in_range=in_range)
        commands = [self._command()]
        while self._is_sign("|"):
            self._next()
            commands.append(self._command())
        for later in commands[1:]:
            if isinstance(later.operands[0], nodes.Constant | nodes.Dot):
                raise self._error("a value stands where a pipe needs a function")
        if not assigns:
            self._scopes += names
        return nodes.Pipe(tuple(commands), line, names, assigns)

    def _declarations(self, *, in_range: bool) -> tuple[tuple[str, ...], bool]:
        if self._peek().kind is not TokenKind.VARIABLE:
            return (), False
        if in_range and self._is_sign(",", 1) and self._peek(2).kind is TokenKind.VARIABLE:
            count, sign = 2, self._peek(3)
        else:
            count, sign = 1, self._peek(1)
        if sign.kind is not TokenKind.SIGN or sign.text not in (":=", "="):
            return (), False
        names = tuple(self._peek(2 * place).text for place in range(count))
        self._at += 2 * count
        assigns = sign.text == "="
        for name in names if assigns else ():
            self._known_variable(name)
        return names, assigns

    def _known_variable(self, name: str) -> None:
        if name not in self._scopes:
            raise self._error(f"variable {name} is not declared")

    def _command(self) -> nodes.Command:
        line = self._peek().line
        operands = [self._operand()]
        while not self._command_ends():
            if not self._peek().spaced:
                raise self._error(f"want a space before {self._peek().text!r}")
            operands.append(self._operand())
        if len(operands) > 1 and isinstance(operands[0], nodes.Constant | nodes.Dot):
            raise self._error("a value cannot be given arguments, want a function")
        return nodes.Command(tuple(operands), line)

    def _command_ends(self) -> bool:
        return self._peek().kind is TokenKind.CLOSE or self._is_sign("|") or self._is_sign(")")

    def _operand(self) -> nodes.Operand:
        of = self._term()
        fields: list[str] = []
        while self._peek().kind is TokenKind.FIELD and not self._peek().spaced:
            fields.append(self._next().text[1:])
        if not fields:
            return of
        if isinstance(of, nodes.Constant):
            raise self._error(f"a constant has no field .{fields[0]}")
        if isinstance(of, nodes.Chain):
            return nodes.Chain(of.of, (*of.fields, *fields))
        return nodes.Chain(of, tuple(fields))

    def _term(self) -> nodes.Operand:
        token = self._next()
        if token.kind is TokenKind.NAME:
            return self._name_operand(token)
        if token.kind is TokenKind.VARIABLE:
            self._known_variable(token.text)
            return nodes.Variable(token.text)
        if token.kind is TokenKind.SIGN and token.text == "(":
            return self._parenthesis()
        if token.kind is TokenKind.FIELD:
            return nodes.Chain(nodes.Dot(), (token.text[1:],))
        if token.kind is TokenKind.DOT:
            return nodes.Dot()
        return nodes.Constant(self._literal(token))

    def _parenthesis(self) -> nodes.Operand:
        self._deeper()
        pipe = self._pipe()
        self._expect(TokenKind.SIGN, ")")
        self._depth -= 1
        return pipe

    def _name_operand(self, token: Token) -> nodes.Operand:
        if token.text in _CONSTANTS:
            return nodes.Constant(_CONSTANTS[token.text])
        if token.text in KEYWORDS or token.text not in self._functions:
            raise self._error(f"function {token.text!r} is not defined")
        return nodes.Function(token.text)

    def _literal(self, token: Token) -> Any:
        if token.kind is TokenKind.STRING:
            return self._string(token)
        if token.kind is TokenKind.CHARACTER:
            return ord(self._unquote(token.text))
        if token.kind is not TokenKind.NUMBER:
            raise self._error(f"want a value, got {token.text or 'the end of the text'!r}")
        text = token.text.replace("_", "")
        if _OCTAL.fullmatch(text):
            return int(text, 8)
        try:
            return int(text, 0)
        except ValueError:
            return float(text)

    def _string(self, token: Token) -> str:
        return token.text[1:-1] if token.text.startswith("`") else self._unquote(token.text)

    def _unquote(self, text: str) -> str:
        if not _GOOD_ESCAPES.fullmatch(text):
            raise self._error(f"{text} has a wrong escape")
        return str(ast.literal_eval(text))  # the same escapes mean the same in both languages
