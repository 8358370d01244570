"""Metadata under `istio`: the fast form equals the built one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from discovery.schema.meta import Kind, ObjectKey
from discovery.translate.metadata import config_path, istio_metadata, service_metadata_bytes, struct
from discovery.wire.envoy import Metadata
from discovery.wire.reflection import to_dict

names = st.text(max_size=150)


@given(host=names, name=names, namespace=names, values=st.dictionaries(names, names | st.booleans(), max_size=3))
def test_fast_form_decodes_to_the_same_message(
    host: str, name: str, namespace: str, values: dict[str, str | bool]
) -> None:
    """Written by hand or built: one message."""
    values.pop("services", None)
    written = service_metadata_bytes(values, host=host, name=name, namespace=namespace)
    service = {"host": host, "name": name, "namespace": namespace}
    assert Metadata.FromString(written) == Metadata(**istio_metadata({**values, "services": [service]}))


def test_keys_that_are_field_names_are_keys() -> None:
    """A key called like a field of Struct is no field of Struct."""
    message = struct({"fields": "x", "string_value": {"struct_value": "y"}})
    assert to_dict(message) == {"fields": "x", "string_value": {"struct_value": "y"}}


def test_config_path_names_the_object() -> None:
    """The path under which an API server would serve the object."""
    key = ObjectKey(Kind.VIRTUAL_SERVICE, "default", "foo")
    assert config_path(key) == "/apis/networking.istio.io/v1/namespaces/default/virtual-service/foo"
