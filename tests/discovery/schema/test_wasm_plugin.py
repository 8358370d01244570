from __future__ import annotations

import pytest

from discovery.schema.meta import Kind
from discovery.schema.wasm_plugin import PullPolicy, WasmPlugin
from tests.kit.manifests import istio, places


def test_a_plugin() -> None:
    """The pull policy is spelled as in Kubernetes, the plugin's configuration is kept as it is."""
    spec = istio(
        Kind.WASM_PLUGIN, "{url: oci://a/b, imagePullPolicy: IfNotPresent, pluginConfig: {k: [1]}, priority: 5}"
    ).spec
    assert isinstance(spec, WasmPlugin)
    assert (spec.image_pull_policy, spec.plugin_config, spec.priority) == (PullPolicy.IF_NOT_PRESENT, {"k": [1]}, 5)


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ("{}", "url"),
        ("{url: null}", "url"),
        ("{url: a, sha256: abc}", "sha256"),
        ("{url: a, imagePullSecret: ''}", "imagePullSecret"),
        ("{url: a, match: [{ports: [{}]}]}", "match[0].ports[0].number"),
        ("{url: a, match: [{ports: [{number: 0}]}]}", "match[0].ports[0].number"),
        ("{url: a, vmConfig: {env: [{name: ''}]}}", "vmConfig.env[0].name"),
    ],
)
def test_bounds(spec: str, where: str) -> None:
    """What the API bounds is bounded here too."""
    assert places(Kind.WASM_PLUGIN, spec) == [where]
