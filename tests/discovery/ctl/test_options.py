"""Options that commands share."""

from __future__ import annotations

import json
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner

from discovery.ctl.errors import CtlError
from discovery.ctl.options import print_data, the_control_plane


@pytest.mark.parametrize("output", ["json", "yaml"])
def test_data_is_printed_as_asked(output: str) -> None:
    """Either form reads back."""

    @click.command()
    def prints() -> None:
        print_data([{"b": 1, "a": "é"}], output)

    printed = CliRunner().invoke(prints).output
    assert (json.loads(printed) if output == "json" else yaml.safe_load(printed)) == [{"b": 1, "a": "é"}]


def test_a_token_file_must_hold_text(tmp_path: Path) -> None:
    """What it holds goes into a header."""
    path = tmp_path / "token"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(CtlError, match="--token-file"):
        the_control_plane("localhost:1", path)
    path.write_text("abc\n", encoding="ascii")
    assert str(the_control_plane("localhost:1", path)) == "http://localhost:1"
