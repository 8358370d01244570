from __future__ import annotations

from discovery.schema.envoy_filter import ApplyTo, EnvoyFilter, PatchContext, PatchOperation
from discovery.schema.meta import Kind
from tests.kit.manifests import istio, places


def test_patches_with_match_and_value() -> None:
    """The value is kept as it is: the words in it are Envoy's, not ours."""
    spec = istio(
        Kind.ENVOY_FILTER,
        """
        configPatches:
        - applyTo: HTTP_FILTER
          match: {context: GATEWAY, listener: {filterChain: {filter: {name: hcm, subFilter: {name: router}}}}}
          patch: {operation: INSERT_BEFORE, value: {name: a, typed_config: {"@type": t, any_thing: [1]}}}
        priority: -1
        """,
    ).spec
    assert isinstance(spec, EnvoyFilter)
    (patch,) = spec.config_patches
    assert (patch.apply_to, spec.priority) == (ApplyTo.HTTP_FILTER, -1)
    assert patch.match is not None
    assert patch.match.context is PatchContext.GATEWAY
    assert patch.patch is not None
    assert patch.patch.operation is PatchOperation.INSERT_BEFORE
    assert patch.patch.value == {"name": "a", "typed_config": {"@type": "t", "any_thing": [1]}}


def test_a_patch_matches_one_sort_of_object() -> None:
    """Listener and cluster at once is a contradiction."""
    spec = "{configPatches: [{match: {listener: {}, cluster: {}}}]}"
    assert places(Kind.ENVOY_FILTER, spec) == ["configPatches[0].match"]
