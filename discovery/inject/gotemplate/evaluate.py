"""A parsed template applied to a value.

The work is bounded: a template that calls itself or ranges over a million items costs an error, not the process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Any, Final

from discovery.inject.gotemplate import nodes
from discovery.inject.gotemplate.errors import ExecutionError
from discovery.inject.gotemplate.values import NO_VALUE, Absent, field, kind_of, plain, show, truth

__all__ = ["Functions", "execute"]

Functions = Mapping[str, Callable[..., Any]]

_MAX_CALLS: Final = 50
_MAX_STEPS: Final = 200_000
_MAX_CHARACTERS: Final = 4 << 20
_NOTHING: Final = object()


class _Signal(Enum):
    BREAK = "break"
    CONTINUE = "continue"


def execute(name: str, templates: Mapping[str, nodes.Block], functions: Functions, data: Any) -> str:
    """The text of template ``name`` for ``data``.

    Raises:
        ExecutionError: a function refused its arguments, a value has no such field, or it took too much.
    """
    run = _Run(name, templates, functions)
    try:
        run.call(name, data, 0)
    except RecursionError:
        raise ExecutionError(name, 0, "actions and calls lie too deep within each other") from None
    return "".join(run.output)


class _Run:
    """One execution. Variables live on a stack that each block cuts back."""

    def __init__(self, name: str, templates: Mapping[str, nodes.Block], functions: Functions) -> None:
        self._name = name
        self._templates = templates
        self._functions = functions
        self._variables: list[tuple[str, Any]] = []
        self._calls = 0
        self._steps = 0
        self._characters = 0
        self.output: list[str] = []

    def call(self, name: str, data: Any, line: int) -> None:
        """Apply one of the templates."""
        self._calls += 1
        if self._calls > _MAX_CALLS:
            raise self._error(line, f"templates call each other more than {_MAX_CALLS} deep")
        outer, self._variables = self._variables, [("$", data)]
        self._block(self._templates[name], data)
        self._variables = outer
        self._calls -= 1

    def _error(self, line: int, problem: str) -> ExecutionError:
        return ExecutionError(self._name, line, problem)

    def _block(self, block: nodes.Block, dot: Any) -> _Signal | None:
        depth = len(self._variables)
        signal: _Signal | None = None
        for node in block:
            signal = self._node(node, dot)
            if signal is not None:
                break
        del self._variables[depth:]
        return signal

    def _node(self, node: nodes.Node, dot: Any) -> _Signal | None:
        self._steps += 1
        if self._steps > _MAX_STEPS:
            raise self._error(0, f"took more than {_MAX_STEPS} steps")
        match node:
            case nodes.Text(text):
                self._write(text)
            case nodes.Action(pipe):
                value = self._pipe(pipe, dot)
                if not pipe.declares:
                    self._write(show(value))
            case nodes.If() | nodes.With() | nodes.Range():
                return self._control(node, dot)
            case nodes.TemplateCall(name, pipe, line):
                self.call(name, NO_VALUE if pipe is None else self._pipe(pipe, dot), line)
            case nodes.Break():
                return _Signal.BREAK
            case nodes.Continue():
                return _Signal.CONTINUE
        return None

    def _write(self, text: str) -> None:
        self._characters += len(text)
        if self._characters > _MAX_CHARACTERS:
            raise self._error(0, f"made more than {_MAX_CHARACTERS} characters")
        self.output.append(text)

    def _control(self, node: nodes.If | nodes.With | nodes.Range, dot: Any) -> _Signal | None:
        depth = len(self._variables)
        if isinstance(node, nodes.Range):
            signal = self._range(node, dot)
        else:
            value = self._pipe(node.pipe, dot)
            inner = value if isinstance(node, nodes.With) else dot
            signal = self._block(node.then, inner) if truth(value) else self._block(node.otherwise, dot)
        del self._variables[depth:]
        return signal

    def _range(self, node: nodes.Range, dot: Any) -> _Signal | None:
        value = self._pipe(node.pipe, dot, declare=False)
        depth = len(self._variables)
        empty = True
        for key, item in self._items(value, node.pipe.line):
            empty = False
            self._bind(node.pipe, key, item)
            signal = self._block(node.then, item)
            del self._variables[depth:]
            if signal is _Signal.BREAK:
                break
        return self._block(node.otherwise, dot) if empty else None

    def _bind(self, pipe: nodes.Pipe, key: Any, item: Any) -> None:
        values = (item,) if len(pipe.declares) == 1 else (key, item)
        for name, value in zip(pipe.declares, values, strict=False):
            self._set(name, value, declare=not pipe.assigns)

    def _items(self, value: Any, line: int) -> Iterable[tuple[Any, Any]]:
        if isinstance(value, Mapping):
            return [(key, value[key]) for key in sorted(value)]
        if isinstance(value, list | tuple):
            return enumerate(value)
        if isinstance(value, int) and not isinstance(value, bool):
            return ((number, number) for number in range(value))
        if value is None or isinstance(value, Absent):
            return ()
        document = plain(value)
        if isinstance(document, Mapping):
            return [(key, field(value, key)) for key in sorted(document)]
        raise self._error(line, f"cannot range over {kind_of(value)}")

    def _set(self, name: str, value: Any, *, declare: bool) -> None:
        if declare:
            self._variables.append((name, value))
            return
        for place in range(len(self._variables) - 1, -1, -1):
            if self._variables[place][0] == name:
                self._variables[place] = (name, value)
                return

    # -- values --------------------------------------------------------------------------------------------------------

    def _pipe(self, pipe: nodes.Pipe, dot: Any, *, declare: bool = True) -> Any:
        value: Any = _NOTHING
        for command in pipe.commands:
            value = self._command(command, dot, value)
        if declare:
            for name in pipe.declares:
                self._set(name, value, declare=not pipe.assigns)
        return value

    def _command(self, command: nodes.Command, dot: Any, piped: Any) -> Any:
        first, *rest = command.operands
        if isinstance(first, nodes.Function):
            return self._apply(first.name, command, dot, piped)
        value = self._operand(first, dot, command.line)
        if rest or piped is not _NOTHING:
            raise self._error(command.line, f"{kind_of(value)} is no function and takes no arguments")
        return value

    def _apply(self, name: str, command: nodes.Command, dot: Any, piped: Any) -> Any:
        operands = command.operands[1:]
        if name in ("and", "or"):
            return self._shortcut(name, command, dot, piped)
        arguments = [self._operand(operand, dot, command.line) for operand in operands]
        if piped is not _NOTHING:
            arguments.append(piped)
        try:
            return self._functions[name](*arguments)
        except ExecutionError:
            raise
        except TypeError as error:
            raise self._error(command.line, f"{name}: wrong arguments: {_tidy(str(error))}") from error
        except (ValueError, ArithmeticError, LookupError) as error:
            raise self._error(command.line, f"{name}: {error}") from error

    def _shortcut(self, name: str, command: nodes.Command, dot: Any, piped: Any) -> Any:
        """``and`` and ``or`` stop at the first argument that decides."""
        value: Any = _NOTHING
        for operand in command.operands[1:]:
            value = self._operand(operand, dot, command.line)
            if truth(value) is (name == "or"):
                return value
        if piped is not _NOTHING:
            return piped
        if value is _NOTHING:
            raise self._error(command.line, f"{name}: want at least one argument")
        return value

    def _operand(self, operand: nodes.Operand, dot: Any, line: int) -> Any:
        match operand:
            case nodes.Dot():
                return dot
            case nodes.Constant(value):
                return value
            case nodes.Variable(name):
                return next(value for known, value in reversed(self._variables) if known == name)
            case nodes.Function(name):
                return self._apply(name, nodes.Command((operand,), line), dot, _NOTHING)
            case nodes.Pipe():
                return self._pipe(operand, dot)
            case nodes.Chain(of, fields):
                value = self._operand(of, dot, line)
                for name in fields:
                    value = self._field(value, name, line)
                return value

    def _field(self, value: Any, name: str, line: int) -> Any:
        try:
            return field(value, name)
        except LookupError as error:
            raise self._error(line, str(error.args[0])) from None


def _tidy(text: str) -> str:
    """Without the Python name of the function."""
    _, mark, problem = text.rpartition(">() ")
    return problem if mark else text.partition("() ")[2] or text
