"""`pilotctl analyze`."""

from __future__ import annotations

import json
from pathlib import Path

from discovery.ctl.commands.analyze import finding_data
from discovery.schema.findings import Finding, Severity
from discovery.schema.meta import Origin
from tests.kit.ctl import pilotctl

GOOD = "{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n"
BAD = (
    "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, "
    "spec: {hosts: [web], http: [{timeout: soon}]}}\n"
)


def test_findings_are_printed_and_an_error_is_exit_status_1(tmp_path: Path) -> None:
    """With file, line and what was wanted."""
    (tmp_path / "a.yaml").write_text(BAD, encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path))
    assert done.exit_code == 1
    assert "a.yaml:1: VirtualService default/web: spec.http[0].timeout: want a duration" in done.output
    assert done.output.endswith("0 objects in 1 files, 1 findings\n")


def test_nothing_wrong_is_exit_status_0(tmp_path: Path) -> None:
    """As JSON: an empty list."""
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    assert pilotctl("analyze", str(tmp_path)).exit_code == 0
    assert json.loads(pilotctl("analyze", str(tmp_path), "-o", "json").output) == []


def test_warnings_alone_do_not_fail(tmp_path: Path) -> None:
    """The object is served, perhaps not as meant."""
    (tmp_path / "a.yaml").write_text("hello: world\n", encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path))
    assert done.output.startswith("Warning: ")
    assert done.exit_code == 0


def test_a_finding_as_data() -> None:
    """Every part under its name."""
    finding = Finding("VirtualService a/b", "spec", "wrong", "mend it", Severity.WARNING, Origin("d", "f", 2))
    assert finding_data(finding) == {
        "severity": "warning",
        "file": "f",
        "line": 2,
        "object": "VirtualService a/b",
        "path": "spec",
        "problem": "wrong",
        "hint": "mend it",
    }
