"""The door to the generated classes."""

from __future__ import annotations

from google.protobuf.internal import api_implementation

from discovery.wire.envoy import Cluster, Metadata, Struct, Value, pack, serialize


def test_the_codec_is_the_fast_one() -> None:
    """The pure Python codec would take a hundred times as long."""
    assert api_implementation.Type() == "upb"


def test_serialising_is_deterministic() -> None:
    """Equal messages give equal bytes, whatever order their maps were filled in."""
    keys = [f"k{n}" for n in range(20)]
    forward = Struct(fields={key: Value(string_value=key) for key in keys})
    backward = Struct(fields={key: Value(string_value=key) for key in reversed(keys)})
    assert serialize(Metadata(filter_metadata={"a": forward})) == serialize(Metadata(filter_metadata={"a": backward}))


def test_packing_names_the_type() -> None:
    """As nested keyword arguments."""
    packed = pack(Cluster(name="a"))
    assert packed["type_url"] == "type.googleapis.com/envoy.config.cluster.v3.Cluster"
    assert Cluster.FromString(packed["value"]).name == "a"
