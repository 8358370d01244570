"""What analyzers say of objects taken together: codes and objects, not texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import parse_yaml, split_documents
from discovery.validation.analyze.registry import ANALYZERS, analyze
from discovery.validation.analyze.resource import Resource, read_resources
from discovery.validation.analyze.world import World
from tests.kit.conformance import Case, cases


@pytest.mark.parametrize("case", cases("analysis"))
def test_analysis(case: Case) -> None:
    """The named analyzer finds the codes that Istio's finds, each on the same object."""
    assert case["analyzer"] in ANALYZERS, "no such analyzer"
    networks = parse_yaml(case.text(case["mesh_networks"])) if case.get("mesh_networks") else None
    world = World(_resources(case), mesh=_mesh(case), mesh_networks=networks)
    found = analyze(world, names=[case["analyzer"]])
    wanted = Counter((entry["code"], entry["resource"]) for entry in case["expected"])
    assert Counter((str(message.code), message.resource) for message in found) == wanted, "\n".join(map(str, found))
    levels = {entry["code"]: entry["level"] for entry in case["expected"]}
    assert {str(message.code): str(message.severity) for message in found} == levels


def _resources(case: Case) -> Iterator[Resource]:
    clusters = case.get("clusters") or {"": case.get("inputs") or []}
    for cluster, inputs in clusters.items():
        for name in (*inputs, case["default_resources"]):
            for piece in split_documents(case.text(name)):
                for entry in read_resources(parse_yaml(piece.text), origin=Origin(path=name), cluster=cluster):
                    assert isinstance(entry, Resource), entry
                    yield entry


def _mesh(case: Case) -> MeshConfig:
    if not case["mesh_config"].endswith(".yaml"):
        return MeshConfig()
    mesh, findings = decode_mesh_config(parse_yaml(case.text(case["mesh_config"])), origin=Origin())
    assert mesh is not None, findings
    return mesh
