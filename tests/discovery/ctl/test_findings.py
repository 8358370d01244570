"""Files read offline as the control plane reads them."""

from __future__ import annotations

from pathlib import Path

import pytest

from discovery.ctl.errors import CtlError
from discovery.ctl.findings import findings_in, objects_in, read_files

GOOD = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
BAD = """---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: web, namespace: shop}
spec: {hosts: [web], http: [{timeout: soon}]}
"""


def test_directories_and_files(tmp_path: Path) -> None:
    """All YAML below a directory; other files are none of our business."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no: [yaml", encoding="utf-8")
    files = read_files([tmp_path])
    assert [obj.name for obj in objects_in(files)] == ["shop"]
    assert findings_in(files) == []


def test_findings_are_sorted_by_place_and_name_it(tmp_path: Path) -> None:
    """File and line; a broken object does not hide others."""
    path = tmp_path / "a.yaml"
    path.write_text(GOOD + BAD + "---\n{not: [yaml\n", encoding="utf-8")
    found = findings_in(read_files([path]))
    assert [finding.origin.line for finding in found] == sorted(finding.origin.line for finding in found)
    assert found[0].path == "spec.http[0].timeout"
    assert str(found[0]).startswith(f"{path}:3: VirtualService shop/web")


def test_an_object_that_is_there_twice_is_found(tmp_path: Path) -> None:
    """Which of the two counts would be chance; the first place is named."""
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(GOOD, encoding="utf-8")
    (finding,) = findings_in(read_files([tmp_path]))
    assert finding.origin.path.endswith("b.yaml")
    assert "a.yaml:1" in finding.problem


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(CtlError, match=r"nothing\.yaml: No such file"):
        read_files([tmp_path / "nothing.yaml"])


@pytest.mark.parametrize(
    ("data", "told"),
    [(b"a: [b", ":1: no valid YAML: "), (b"a: \xff", "want UTF-8, got the byte 0xff (save the file as UTF-8)")],
)
def test_nothing_is_said_of_versions_that_nobody_has(tmp_path: Path, data: bytes, told: str) -> None:
    """A last good version is kept by those who serve."""
    path = tmp_path / "a.yaml"
    path.write_bytes(data)
    (finding,) = findings_in(read_files([path]))
    assert told in str(finding)
    assert "last good" not in str(finding)
