"""Metadata under `istio`: the fast form equals the built one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.meta import Kind, ObjectKey
from discovery.translate.metadata import config_path, istio_metadata, istio_metadata_bytes, struct
from discovery.wire.envoy import Metadata, serialize

values = st.recursive(
    st.text(max_size=5) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=3), values, max_size=3))
def test_fast_form_decodes_to_the_same_message(content: dict[str, object]) -> None:
    """Written by hand or built: one message."""
    assert Metadata.FromString(istio_metadata_bytes(content)) == Metadata(**istio_metadata(content))


def test_keys_that_are_field_names_are_keys() -> None:
    """A key called like a field of Struct is no field of Struct."""
    message = struct({"fields": "x", "string_value": {"struct_value": "y"}})
    assert message["fields"] == "x"
    assert message["string_value"]["struct_value"] == "y"
    assert serialize(message)


def test_config_path_names_the_object() -> None:
    """The path under which an API server would serve the object."""
    key = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "foo")
    assert config_path(key) == "/apis/networking.istio.io/v1/namespaces/default/virtual-service/foo"
