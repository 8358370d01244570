"""What goes wrong for a person at a terminal: one line that says what, where, and what to do; exit status 1."""

from __future__ import annotations

import click

__all__ = ["CtlError"]


class CtlError(click.ClickException):
    """Shown as ``Error: <text>``."""
