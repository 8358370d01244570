"""The name table for people, judged by a codec of its own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.debug.config_dump import resource_data
from discovery.debug.name_table import read_name_table
from discovery.wire.resource import Resource
from discovery.wire.type_urls import NAME_TABLE
from tests.kit.name_table import write_name_table

texts = st.text("abc.", min_size=1, max_size=8)
infos = st.fixed_dictionaries(
    {"ips": st.lists(texts, min_size=1, max_size=3), "registry": texts, "shortname": texts, "namespace": texts}
)


@given(st.dictionaries(texts, infos, max_size=4))
def test_what_generated_code_writes_is_read(table: dict[str, dict[str, object]]) -> None:
    """Every field of every host."""
    assert read_name_table(write_name_table(table)) == {"table": table}


def test_ports_are_shown_to_those_who_look() -> None:
    """They are in tables of agents that answer SRV."""
    ports = [{"name": "sql", "number": 5432, "targets": ["db-0.db"]}, {"name": "dns", "number": 53, "udp": True}]
    shown = read_name_table(write_name_table({"db": {"ips": ["10.0.0.1"], "ports": ports}}))["table"]["db"]
    assert shown["ports"] == [
        {"name": "sql", "number": 5432, "protocol": "TCP", "targets": ["db-0.db"]},
        {"name": "dns", "number": 53, "protocol": "UDP"},
    ]


def test_it_shows_in_dumps() -> None:
    """With its type, like any other resource."""
    value = write_name_table({"a.example": {"ips": ["240.240.0.1"], "registry": "External"}})
    shown = resource_data(Resource("", "v", NAME_TABLE, value))
    assert shown["@type"] == NAME_TABLE
    assert shown["table"]["a.example"] == {"ips": ["240.240.0.1"], "registry": "External"}
