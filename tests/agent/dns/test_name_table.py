"""The name table as the agent reads it."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.dns.name_table import NameInfo, parse_name_table
from discovery.wire.name_table import NamedPort
from tests.kit.name_table import write_name_table

text = st.text(max_size=12)
texts = st.lists(text).map(tuple)
ports = st.builds(NamedPort, text, st.integers(1, 65535), st.booleans(), texts)
infos = st.builds(NameInfo, text, texts, text, text, text, texts, st.lists(ports).map(tuple))


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
            "ports": [port._asdict() for port in info.ports],
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


def test_equal_ports_are_held_once() -> None:
    """Thousands of hosts have one port `http` on 80."""
    http = {"ports": [{"name": "http", "number": 80}]}
    one, other = parse_name_table(write_name_table({"a": http, "b": http}))
    assert one.ports == (NamedPort("http", 80),)
    assert one.ports is other.ports


@pytest.mark.parametrize("number", [0, 65536])
def test_a_port_that_is_none_is_refused(number: int) -> None:
    """With the table: whoever writes such may be wrong in the rest as well, and the last good one serves."""
    with pytest.raises(ValueError, match="want 1 to 65535"):
        list(parse_name_table(write_name_table({"a": {"ports": [{"name": "http", "number": number}]}})))


def test_unknown_fields_are_skipped() -> None:
    """Newer control planes may say more."""
    assert list(parse_name_table(b"\x0a\x07\x0a\x01a\x12\x02\x30\x01\x10\x01")) == [NameInfo("a")]
