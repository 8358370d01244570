"""Asking an analyzer about objects given as YAML text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import parse_yaml, split_documents
from discovery.validation.analyze.registry import analyze
from discovery.validation.analyze.resource import Resource, read_resources
from discovery.validation.analyze.world import World

__all__ = ["found", "world"]


def world(text: str, *, mesh: Mapping[str, Any] | None = None, networks: Mapping[str, Any] | None = None) -> World:
    """The objects of a stream; those without namespace are in ``shop``."""
    read = [
        entry
        for piece in split_documents(text)
        for entry in read_resources(
            parse_yaml(piece.text), origin=Origin("test", "f.yaml", piece.line), namespace="shop"
        )
    ]
    config, _ = decode_mesh_config(dict(mesh or {}), origin=Origin())
    assert config is not None
    return World([entry for entry in read if isinstance(entry, Resource)], mesh=config, mesh_networks=networks)


def found(analyzer: str, text: str, **settings: Any) -> list[str]:
    """What the analyzer finds, each as ``CODE Kind namespace/name``."""
    return [f"{message.code} {message.resource}" for message in analyze(world(text, **settings), names=[analyzer])]
