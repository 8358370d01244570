"""The mesh configuration from a parsed document, laid over Istio's defaults by Istio's rules of merging."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from discovery.schema import proto_json
from discovery.schema.extension_providers import ExtensionProvider
from discovery.schema.findings import Finding
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin

__all__ = ["decode_mesh_config"]

_DEFAULTS: Final = MeshConfig()


def decode_mesh_config(document: object, *, origin: Origin) -> tuple[MeshConfig | None, tuple[Finding, ...]]:
    """The mesh configuration that ``document`` describes, and what is wrong with it; None if it cannot be used.

    Fields that are written replace the defaults whole; ``defaultConfig`` is merged field by field and
    ``extensionProviders`` by name. A ConfigMap (key ``mesh`` holding a text) is for the caller to unwrap.
    """
    mesh, problems = proto_json.read(MeshConfig, {} if document is None else document)
    findings = tuple(Finding("MeshConfig", p.path, p.text, p.hint, p.severity, origin) for p in problems)
    if mesh is None:
        return None, findings
    return msgspec.structs.replace(mesh, extension_providers=_by_name(mesh.extension_providers)), findings


def _by_name(written: tuple[ExtensionProvider, ...]) -> tuple[ExtensionProvider, ...]:
    merged: Mapping[str, ExtensionProvider] = {
        provider.name: provider for provider in (*_DEFAULTS.extension_providers, *written)
    }
    return tuple(merged.values())
