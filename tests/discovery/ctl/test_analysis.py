from __future__ import annotations

from pathlib import Path

import pytest

from discovery.ctl.analysis import messages_about, read_world
from discovery.ctl.errors import CtlError
from discovery.ctl.findings import findings_in, read_files
from discovery.validation.analyze.registry import parse_suppression

MESH = """
apiVersion: v1
kind: ConfigMap
metadata: {name: istio, namespace: istio-system}
data:
  mesh: "rootNamespace: mesh-root"
  meshNetworks: "networks: {n: {endpoints: [{fromRegistry: far}]}}"
---
{apiVersion: v1, kind: Pod, metadata: {name: p}}
---
{broken: [
"""


def _write(folder: Path, text: str) -> Path:
    (folder / "a.yaml").write_text(text, encoding="utf-8")
    return folder


def test_the_mesh_is_told_by_the_files(tmp_path: Path) -> None:
    """By their ConfigMap, unless a file is named; what is no YAML stops nothing else."""
    files = read_files([_write(tmp_path, MESH)])
    world = read_world(files, namespace="shop")
    assert world.root_namespace == "mesh-root"
    assert world.mesh_networks == {"networks": {"n": {"endpoints": [{"fromRegistry": "far"}]}}}
    assert [pod.resource.full_name for pod in world.pods()] == ["shop/p"]
    mesh = tmp_path / "mesh.conf"
    mesh.write_text("rootNamespace: other", encoding="utf-8")
    assert read_world(files, namespace="shop", mesh_file=mesh).root_namespace == "other"


def test_a_mesh_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """With its place and what is wrong."""
    files = read_files([_write(tmp_path, MESH.replace("rootNamespace: mesh-root", "connectTimeout: soon"))])
    with pytest.raises(CtlError, match=r"ConfigMap istio-system/istio: .*connectTimeout"):
        read_world(files, namespace="shop")


def test_findings_and_messages_are_one_list(tmp_path: Path) -> None:
    """The worst first; a suppression holds for both."""
    files = read_files([_write(tmp_path, MESH)])
    world = read_world(files, namespace="shop")
    assert [str(message.code) for message in messages_about(findings_in(files), world)] == ["IST0126", "IST0106"]
    suppressed = [parse_suppression("IST0126=*"), parse_suppression("IST0106=*")]
    assert messages_about(findings_in(files), world, suppressed=suppressed) == []
