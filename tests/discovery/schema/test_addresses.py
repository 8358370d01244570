"""What is an address."""

from __future__ import annotations

import pytest

from discovery.schema.addresses import is_address


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("10.0.0.1", True),
        ("fd00::1", True),
        ("fe80::1%eth0", True),
        ("10.0.0.0/8", False),
        ("10.0.0.1/32", False),
        ("web.example.org", False),
        ("1.2.3", False),
        ("unix:///a", False),
        ("", False),
    ],
)
def test_addresses_are_told_from_all_else(text: str, is_one: bool) -> None:
    """Names, ranges and sockets are none."""
    assert is_address(text) is is_one
