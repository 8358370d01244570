"""Reading bytes back for people."""

from __future__ import annotations

import pytest

from discovery.wire.envoy import Cluster, HttpProtocolOptions, pack, serialize
from discovery.wire.reflection import decode, load_type, to_dict, unpack
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
