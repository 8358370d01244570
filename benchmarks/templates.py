"""The little of Go's text templates that benchmark inputs use: counted loops, and arithmetic on their counter."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["TemplateError", "expand"]

_ACTION = re.compile(r"(?P<trim>\s*)\{\{(?P<dash>-?)\s*(?P<text>.*?)\s*-?\}\}", re.DOTALL)
_LOOP = re.compile(r"range (?P<variable>\$\w+) := until \$?\.(?P<count>\w+)")
_EXPRESSION = re.compile(r"(?:(?P<op>div|mod) )?(?P<left>\$\w+)(?: (?P<right>\S+))?")


class TemplateError(ValueError):
    """The template uses something that is not supported; the text names it."""


def expand(template: str, values: Mapping[str, int]) -> str:
    """Fill a template in. ``values`` are the counts that loops run to, as in ``{{ range $i := until .Services }}``.

    Raises:
        TemplateError: an unknown action or name.
    """
    text, rest = _expand(template, {f".{name}": value for name, value in values.items()})
    if rest is not None:
        raise TemplateError("an {{ end }} without its range")
    return text


def _expand(template: str, scope: Mapping[str, int]) -> tuple[str, str | None]:
    """The text up to the end or to an unmatched ``end``, and what follows that."""
    out: list[str] = []
    while (found := _ACTION.search(template)) is not None:
        out.append(template[: found.start()])
        out.append("" if found["dash"] else found["trim"])
        action, template = found["text"], template[found.end() :]
        if action == "end":
            return "".join(out), template
        loop = _LOOP.fullmatch(action)
        if loop is None:
            out.append(str(_value(action, scope)))
            continue
        rest: str | None = None
        for i in range(_look_up(f".{loop['count']}", scope)):
            part, rest = _expand(template, {**scope, loop["variable"]: i})
            out.append(part)
        if rest is None:  # a loop of no rounds must still be passed over
            _, rest = _expand(template, {**scope, loop["variable"]: 0})
        template = rest or ""
    return "".join(out) + template, None


def _value(expression: str, scope: Mapping[str, int]) -> int:
    found = _EXPRESSION.fullmatch(expression)
    if found is None:
        raise TemplateError(f"{{{{ {expression} }}}}: want a counter, div or mod")
    left = _look_up(found["left"], scope)
    if found["op"] is None:
        return left
    right = found["right"].removeprefix("$")
    divisor = int(right) if right.isdecimal() else _look_up(right, scope)
    return left // divisor if found["op"] == "div" else left % divisor


def _look_up(name: str, scope: Mapping[str, int]) -> int:
    if name not in scope:
        raise TemplateError(f"{name} is not known here, only {', '.join(sorted(scope))}")
    return scope[name]
