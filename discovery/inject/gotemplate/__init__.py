"""Go's text/template, as far as injection templates use it: own lexer, parser and evaluator, no I/O.

Spec: https://pkg.go.dev/text/template
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from discovery.inject.gotemplate import nodes
from discovery.inject.gotemplate.builtins import BUILTINS
from discovery.inject.gotemplate.errors import ExecutionError, ParseError, TemplateError
from discovery.inject.gotemplate.evaluate import Functions, execute
from discovery.inject.gotemplate.parser import parse
from discovery.inject.gotemplate.values import NO_VALUE, UNSET, Record, Root, StringMap, plain, show, truth

__all__ = [
    "NO_VALUE",
    "UNSET",
    "ExecutionError",
    "Functions",
    "ParseError",
    "Record",
    "Root",
    "StringMap",
    "Template",
    "TemplateError",
    "plain",
    "show",
    "truth",
]

_LOGIC = ("and", "or")


class Template(msgspec.Struct, frozen=True):
    """A template that was read once and may be applied many times."""

    name: str
    blocks: Mapping[str, nodes.Block]

    @classmethod
    def parse(cls, name: str, source: str, functions: Functions) -> Template:
        """Read a template that may use ``functions`` besides those that every template has.

        Raises:
            ParseError: the text is no template, or uses a function or template that is not there.
        """
        return cls(name, parse(name, source, {*BUILTINS, *_LOGIC, *functions}))

    def execute(self, data: Any, functions: Functions) -> str:
        """The text for ``data``.

        Raises:
            ExecutionError: the template cannot be applied to it.
        """
        return execute(self.name, self.blocks, {**BUILTINS, **functions}, data)
