from __future__ import annotations

from discovery.schema.meta import Kind
from discovery.schema.traffic_extension import ExecutionPhase, TrafficExtension
from tests.kit.manifests import istio, places


def test_a_script() -> None:
    """An extension is a script or a plugin, with its place among the filters."""
    spec = istio(Kind.TRAFFIC_EXTENSION, "{phase: AUTHN, lua: {inlineCode: 'function envoy_on_request(h) end'}}").spec
    assert isinstance(spec, TrafficExtension)
    assert spec.phase is ExecutionPhase.AUTHN
    assert spec.lua is not None
    assert spec.lua.inline_code.startswith("function")


def test_not_both() -> None:
    """Code twice would leave open which is run."""
    assert places(Kind.TRAFFIC_EXTENSION, "{lua: {inlineCode: x}, wasm: {url: oci://a}}") == ["spec"]
