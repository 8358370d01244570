"""The name table as the agent reads it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dns.name_table import NameInfo, parse_name_table
from tests.kit.name_table import write_name_table

text = st.text(max_size=12)
infos = st.builds(NameInfo, text, st.lists(text).map(tuple), text, text, text, st.lists(text).map(tuple))


@given(st.lists(infos, unique_by=lambda info: info.host))
def test_tables_are_read_as_protobuf_writes_them(found: list[NameInfo]) -> None:
    """All fields of all entries."""
    written = {
        info.host: {
            "ips": info.ips,
            "registry": info.registry,
            "shortname": info.short_name,
            "namespace": info.namespace,
            "alt_hosts": info.alt_hosts,
        }
        for info in found
    }
    assert sorted(parse_name_table(write_name_table(written))) == sorted(found)


@given(st.binary(max_size=100))
def test_any_bytes_are_a_table_or_refused(data: bytes) -> None:
    """Nothing else is raised than what becomes a rejection."""
    with suppress(ValueError):
        list(parse_name_table(data))


def test_a_number_in_place_of_a_text_is_refused() -> None:
    """The message says what was wanted."""
    with pytest.raises(ValueError, match="want a string or message"):
        list(parse_name_table(b"\x08\x01"))


def test_unknown_fields_are_skipped() -> None:
    """Newer control planes may say more."""
    assert list(parse_name_table(b"\x0a\x07\x0a\x01a\x12\x02\x30\x01\x10\x01")) == [NameInfo("a")]
