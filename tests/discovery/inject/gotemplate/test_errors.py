"""What a template's error says."""

from __future__ import annotations

from discovery.inject.gotemplate.errors import ExecutionError, ParseError, TemplateError


def test_an_error_says_which_template_and_where() -> None:
    """The operator finds the place; both kinds are caught as one."""
    for kind in (ParseError, ExecutionError):
        error = kind("sidecar", 7, "no such thing")
        assert str(error) == "template 'sidecar', line 7: no such thing"
        assert isinstance(error, TemplateError)
        assert isinstance(error, ValueError)
