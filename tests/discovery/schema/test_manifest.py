from __future__ import annotations

from discovery.schema.manifest import Manifest


def test_a_manifest_is_the_mapping_it_was_made_of() -> None:
    """It reads like the dict, and equal texts are equal manifests."""
    document = {"kind": "Service", "spec": {"ports": [1, 2]}}
    manifest = Manifest.of(document)
    assert dict(manifest) == document
    assert manifest == Manifest.of(document)
    assert hash(manifest) == hash(Manifest.of(document))
    assert manifest != Manifest.of({})
    assert len(manifest) == 2
