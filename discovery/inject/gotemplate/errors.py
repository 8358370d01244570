"""What can go wrong with a template.

TemplateError
    ParseError       the text is no template: found when the configuration is read
    ExecutionError   the template cannot be applied to this pod
"""

from __future__ import annotations

__all__ = ["ExecutionError", "ParseError", "TemplateError"]


class TemplateError(ValueError):
    """A template cannot be used; the text says which, at which line, and why."""

    def __init__(self, template: str, line: int, problem: str) -> None:
        super().__init__(f"template {template!r}, line {line}: {problem}")
        self.template = template
        self.line = line
        self.problem = problem


class ParseError(TemplateError):
    """The text is no template."""


class ExecutionError(TemplateError):
    """The template failed while it was applied."""
