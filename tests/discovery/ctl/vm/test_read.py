"""What a person has, in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.ctl.errors import CtlError
from discovery.ctl.vm.read import find_group, group_of, groups_of, read_mesh, read_roots, read_text

GROUP = "kind: WorkloadGroup\nmetadata: {name: vm}\nspec: {template: {}}\n"
WHOLE = f"apiVersion: networking.istio.io/v1\n{GROUP}"


def _file(directory: Path, text: str, name: str = "group.yaml") -> Path:
    path = directory / name
    path.write_text(text, encoding="utf-8")
    return path


def test_the_only_group_of_a_file(tmp_path: Path) -> None:
    """Without apiVersion and namespace too; other objects do not count."""
    group = group_of(_file(tmp_path, f"kind: Service\n---\n{GROUP}"), namespace="shop")
    assert str(group.key) == "WorkloadGroup shop/vm"
    assert group.origin.line == 3


def test_one_group_is_wanted(tmp_path: Path) -> None:
    """None and two are told."""
    with pytest.raises(CtlError, match="want one WorkloadGroup, found none"):
        group_of(_file(tmp_path, ""), namespace="shop")
    two = GROUP + "---\n" + GROUP.replace("vm", "db")
    assert len(groups_of(tmp_path / "two.yaml", two, namespace="shop")) == 2
    with pytest.raises(CtlError, match="found WorkloadGroup shop/vm, WorkloadGroup shop/db"):
        group_of(_file(tmp_path, two), namespace="shop")


def test_a_group_is_found_by_name(tmp_path: Path) -> None:
    """In a directory; what is there instead is told, and why one is not usable."""
    _file(tmp_path, WHOLE)
    assert find_group(tmp_path, namespace="default", name="vm").key.name == "vm"
    with pytest.raises(CtlError, match="no WorkloadGroup shop/vm; there is WorkloadGroup default/vm"):
        find_group(tmp_path, namespace="shop", name="vm")
    _file(tmp_path, WHOLE.replace("{}", "{ports: {http: web}}"))
    with pytest.raises(CtlError, match=r"spec.template.ports"):
        find_group(tmp_path, namespace="default", name="vm")


def test_the_mesh_configuration_is_checked(tmp_path: Path) -> None:
    """And given as it was written."""
    assert read_mesh(None) == {}
    assert read_mesh(_file(tmp_path, "trustDomain: td\n")) == {"trustDomain": "td"}
    with pytest.raises(CtlError, match="trustDomain"):
        read_mesh(_file(tmp_path, "trustDomain: [1]\n"))


def test_files_that_do_not_do(tmp_path: Path) -> None:
    """Each with its name."""
    with pytest.raises(CtlError, match=r"root.pem"):
        read_roots(_file(tmp_path, "no certificate", "root.pem"))
    with pytest.raises(CtlError, match=r"gone.pem: No such file"):
        read_roots(tmp_path / "gone.pem")
    with pytest.raises(CtlError, match=r"gone.yaml: No such file"):
        read_text(tmp_path / "gone.yaml")
    (tmp_path / "latin").write_bytes(b"\xff")
    with pytest.raises(CtlError, match="want UTF-8"):
        read_text(tmp_path / "latin")
