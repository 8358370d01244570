"""What goes wrong is one line and exit status 1."""

from __future__ import annotations

import click
from click.testing import CliRunner

from discovery.ctl.errors import CtlError


def test_shown_as_one_line() -> None:
    """No traceback for what a person can mend."""

    @click.command()
    def fails() -> None:
        raise CtlError("the file is not there")

    done = CliRunner().invoke(fails)
    assert (done.exit_code, done.output) == (1, "Error: the file is not there\n")
