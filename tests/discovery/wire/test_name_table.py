"""Ports in a name table, judged by generated code of the same message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.wire.name_table import PORTS, NamedPort, encode_ports, parse_port
from discovery.wire.protowire import bytes_field, fields, string_field
from tests.kit.name_table import read_name_table

texts = st.text("abc.-", min_size=1, max_size=8)
ports = st.builds(NamedPort, texts, st.integers(1, 65535), st.booleans(), st.lists(texts, max_size=3).map(tuple))


@given(st.lists(ports, max_size=3))
def test_ports_are_written_as_protobuf_reads_them(found: list[NamedPort]) -> None:
    """All fields, those of no weight left out; beside the fields of Istio's table."""
    info = string_field(1, "10.0.0.1") + encode_ports(found)
    (entry,) = read_name_table(bytes_field(1, string_field(1, "host") + bytes_field(2, info))).values()
    assert entry["ips"] == ["10.0.0.1"]
    assert [
        NamedPort(port["name"], port["number"], port.get("udp", False), tuple(port.get("targets", ())))
        for port in entry.get("ports", ())
    ] == found


@given(st.lists(ports, max_size=3))
def test_ports_are_read_as_written(found: list[NamedPort]) -> None:
    """Each as a field of its own."""
    read = [parse_port(value) for number, value in fields(encode_ports(found)) if not isinstance(value, int)]
    assert read == found
    assert {number for number, _ in fields(encode_ports(found))} <= {PORTS}


@given(st.binary(max_size=40))
def test_any_bytes_are_a_port_or_refused(data: bytes) -> None:
    """Nothing else is raised than what becomes a rejection."""
    try:
        assert 0 < parse_port(data).number < 65536
    except ValueError:
        return


def test_a_port_without_number_is_none() -> None:
    """Nobody could connect to it."""
    with pytest.raises(ValueError, match="port 0, want 1 to 65535"):
        parse_port(string_field(1, "http"))
