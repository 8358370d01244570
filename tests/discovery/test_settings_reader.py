"""Flags and variables with their types."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from discovery.settings_reader import Address, SettingsReader


def reader(flag: str = "", variable: str | None = None) -> SettingsReader:
    return SettingsReader({"f": flag}, {} if variable is None else {"V": variable}, {"V": "standard"})


def test_variables_have_defaults_and_flags_come_first() -> None:
    """Where the flag was given."""
    assert reader().variable("V") == "standard"
    assert reader(variable="own").variable("V") == "own"
    assert reader("d", "own").flag_or_variable("f", "V", "d") == "own"
    assert reader("x", "own").flag_or_variable("f", "V", "d") == "x"


@pytest.mark.parametrize(
    ("text", "address"),
    [("", None), (":80", Address("", 80)), ("a:0", Address("a", 0)), ("[::1]:80", Address("::1", 80))],
)
def test_addresses(text: str, address: Address | None) -> None:
    """Of all, of one host, of both families; none is off."""
    read = reader(text)
    assert (read.address("f"), read.findings) == (address, [])


@pytest.mark.parametrize(
    ("ask", "text", "instead", "told"),
    [
        (lambda read: read.address("f"), "80a:b", None, "--f '80a:b': want host:port"),
        (lambda read: read.number("f"), "-1", 0, "--f '-1': want a number, 0 or more"),
        (lambda read: read.number("f"), "inf", 0, "want a number"),
        (lambda read: read.duration(read.flag("f"), "here"), "soon", timedelta(), "here: "),
        (lambda read: read.switch("V"), "perhaps", False, "V='perhaps' is no boolean"),
    ],
)
def test_what_is_wrong_is_gathered(ask: Any, text: str, instead: Any, told: str) -> None:
    """All of it can then be told at once."""
    read = reader(text, text)
    assert ask(read) == instead
    (finding,) = read.findings
    assert told in finding
