"""Reading bytes back for people."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.wire.envoy import Cluster, HttpProtocolOptions, pack, serialize
from discovery.wire.reflection import DataFaults, decode, faults_of, load_type, to_dict, unpack
from discovery.wire.type_urls import CLUSTER


def test_messages_are_found_by_type_url() -> None:
    """Types are imported when first met."""
    assert decode(CLUSTER, serialize(Cluster(name="a"))).name == "a"
    assert load_type("envoy.config.accesslog.v3.AccessLog").DESCRIPTOR.name == "AccessLog"


def test_what_is_packed_inside_is_opened() -> None:
    """However deep, with its type."""
    options = HttpProtocolOptions(explicit_http_config={"http2_protocol_options": {}})
    message = Cluster(name="a", typed_extension_protocol_options={"x": pack(options)})
    shown = to_dict(message)["typedExtensionProtocolOptions"]["x"]
    assert shown["explicitHttpConfig"] == {"http2ProtocolOptions": {}}
    assert unpack(message.typed_extension_protocol_options["x"]) == options


def test_an_unknown_type_is_told() -> None:
    """By its name."""
    with pytest.raises(LookupError, match=r"no generated class for no\.such\.Type"):
        load_type("no.such.Type")


@pytest.mark.parametrize(
    "name", ["", "t", "os.path.Foo", "this.Foo", "envoy", "envoy.config.cluster.v3.Nope", "envoy..A"]
)
def test_names_of_users_import_nothing_but_generated_classes(name: str) -> None:
    """Importing runs code, and what is no package of messages has no messages."""
    with pytest.raises(LookupError, match="no generated class for"):
        load_type(name)


_LUA = {"@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"}
_FILTER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter"


@pytest.mark.parametrize(
    ("name", "data", "error", "odd"),
    [
        ("envoy.config.cluster.v3.Cluster", {"name": "a", "connect_timeout": "5s", "lbPolicy": "RANDOM"}, "", []),
        ("envoy.config.cluster.v3.Cluster", {"name": 5}, "Failed to parse name field", []),
        ("envoy.config.cluster.v3.Cluster", {"connect_timeout": "soon"}, "connect_timeout", []),
        ("envoy.config.cluster.v3.Cluster", {"lb_policy": "BEST"}, "BEST", []),
        ("envoy.config.cluster.v3.Cluster", {"nope": 1}, "", ['no field named "nope"']),
        ("envoy.config.cluster.v3.Cluster", {"nope": 1, "name": 5}, "name", []),
        (_FILTER, {"name": "lua", "typed_config": {**_LUA, "inline_code": "x"}}, "", []),
        (_FILTER, {"name": "lua", "typed_config": {**_LUA, "inline_code": 5}}, "inline_code", []),
        (_FILTER, {"name": "lua", "typed_config": {"@type": "a/b.C", "x": {"y": [1]}}}, "", ["the type 'b.C'"]),
        (_FILTER, {"name": 5, "typed_config": {"@type": "a/b.C"}}, "name", ["the type 'b.C'"]),
    ],
)
def test_data_is_judged_by_the_type_it_is_meant_for(
    name: str, data: dict[str, Any], error: str, odd: list[str]
) -> None:
    """What Envoy could not read is an error, what it would not know is odd."""
    found = faults_of(name, data)
    assert error in found.error
    assert bool(error) is bool(found.error)
    assert len(found.odd) == len(odd)
    assert all(part in text for part, text in zip(odd, found.odd, strict=True))
    assert "\n" not in found.error + "".join(found.odd)


def test_endless_nesting_is_an_error() -> None:
    """Not a crash."""
    data: dict[str, Any] = {}
    for _ in range(500):
        data = {"a": data}
    assert faults_of("google.protobuf.Struct", data) != DataFaults()
