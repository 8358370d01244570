"""Structs back to documents."""

from __future__ import annotations

from discovery.inject.document import default_proxy_config, mesh_document, proxy_config_document, to_document
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.meta import Origin
from discovery.schema.proxy_config import ProxyConfig
from discovery.wire.proxy_config import DEFAULTS, decode_proxy_config


def test_defaults_are_those_that_the_agent_has() -> None:
    """What is left out of PROXY_CONFIG is added by the agent again, so both must agree."""
    mine = {key: value for key, value in default_proxy_config().items() if key in DEFAULTS}
    assert mine == dict(DEFAULTS)


def test_what_is_written_comes_back() -> None:
    """In proto-JSON's names and forms; what was not written below the top does not."""
    written = {
        "trustDomain": "td",
        "defaultConfig": {
            "drainDuration": "90s",
            "concurrency": 0,
            "proxyMetadata": {"A_b": "c"},
            "tracing": {"zipkin": {"address": "z:1"}},
            "holdApplicationUntilProxyStarts": False,
        },
    }
    mesh, findings = decode_mesh_config(written, origin=Origin())
    assert mesh is not None
    assert findings == ()
    document = mesh_document(mesh)
    assert document["trustDomain"] == "td"
    own = {key: value for key, value in document["defaultConfig"].items() if default_proxy_config().get(key) != value}
    assert own == written["defaultConfig"]
    assert decode_proxy_config(document["defaultConfig"]).drain_duration == "90s"


def test_documents_are_plain_data() -> None:
    """Lists for tuples, texts for enums and durations."""
    document = to_document(ProxyConfig())
    assert document["drainDuration"] == "45s"
    assert type(document["controlPlaneAuthPolicy"]) is str
    assert document["extraStatTags"] == []
    assert proxy_config_document(ProxyConfig()) == dict(default_proxy_config())
