"""The mesh configuration as users write it."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from discovery.debug.mesh import proto_json
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin


def test_names_and_durations_are_proto_json() -> None:
    """Camel case, seconds with an s, enums by name; what is not set is left out."""
    shown = proto_json(MeshConfig(connect_timeout=timedelta(milliseconds=1500)))
    assert shown["connectTimeout"] == "1.500s"
    assert shown["outboundTrafficPolicy"] == {"mode": "ALLOW_ANY"}
    assert "caCertificates" not in shown


@given(domain=st.from_regex(r"[a-z]{1,9}", fullmatch=True), seconds=st.integers(1, 1000), flag=st.booleans())
def test_what_is_shown_can_be_read_back(domain: str, seconds: int, flag: bool) -> None:
    """Shown and read again it is the same mesh."""
    mesh = MeshConfig(trust_domain=domain, connect_timeout=timedelta(seconds=seconds), enable_auto_mtls=flag)
    read, findings = decode_mesh_config(proto_json(mesh), origin=Origin())
    assert findings == ()
    assert read == mesh
