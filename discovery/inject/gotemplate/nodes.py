"""The tree of a parsed template. Nodes are values; ``line`` is for messages."""

from __future__ import annotations

from typing import Any, TypeAlias

import msgspec

__all__ = [
    "Action",
    "Block",
    "Break",
    "Chain",
    "Command",
    "Constant",
    "Continue",
    "Dot",
    "Function",
    "If",
    "Node",
    "Operand",
    "Pipe",
    "Range",
    "TemplateCall",
    "Text",
    "Variable",
    "With",
]


class Dot(msgspec.Struct, frozen=True):
    """The present value."""


class Constant(msgspec.Struct, frozen=True):
    """A number, text, boolean or nil."""

    value: Any


class Variable(msgspec.Struct, frozen=True):
    """``$name``; ``$`` alone is what the template was applied to."""

    name: str


class Function(msgspec.Struct, frozen=True):
    """A function by its name; applied to the other operands of its command."""

    name: str


class Pipe(msgspec.Struct, frozen=True):
    """Commands whose results are handed on; ``declares`` are the variables that take the last one."""

    commands: tuple[Command, ...]
    line: int
    declares: tuple[str, ...] = ()
    assigns: bool = False


class Chain(msgspec.Struct, frozen=True):
    """Fields of a value: ``.A.B``, ``$x.A``, ``(f 1).A``."""

    of: Operand
    fields: tuple[str, ...]


Operand: TypeAlias = Dot | Constant | Variable | Function | Pipe | Chain


class Command(msgspec.Struct, frozen=True):
    """A function or value, and its arguments."""

    operands: tuple[Operand, ...]
    line: int


class Text(msgspec.Struct, frozen=True):
    """Text that is shown as it is."""

    text: str


class Action(msgspec.Struct, frozen=True):
    """A pipe whose result is shown, unless it declares a variable."""

    pipe: Pipe


class If(msgspec.Struct, frozen=True):
    """``if``."""

    pipe: Pipe
    then: Block
    otherwise: Block


class With(msgspec.Struct, frozen=True):
    """``with``: the dot is the pipe's value, where that is true."""

    pipe: Pipe
    then: Block
    otherwise: Block


class Range(msgspec.Struct, frozen=True):
    """``range``."""

    pipe: Pipe
    then: Block
    otherwise: Block


class TemplateCall(msgspec.Struct, frozen=True):
    """``template "name" pipe``."""

    name: str
    pipe: Pipe | None
    line: int


class Break(msgspec.Struct, frozen=True):
    """``break``."""


class Continue(msgspec.Struct, frozen=True):
    """``continue``."""


Node: TypeAlias = Text | Action | If | With | Range | TemplateCall | Break | Continue
Block: TypeAlias = tuple[Node, ...]
