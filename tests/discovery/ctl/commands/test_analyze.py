"""`pilotctl analyze`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from discovery.ctl.commands.analyze import message_data
from discovery.schema.meta import Origin
from discovery.validation.analyze.message import Code, Message
from discovery.validation.analyze.registry import ANALYZERS
from tests.kit.ctl import pilotctl

GOOD = "{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {istio-injection: enabled}}}\n"
BAD = (
    "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, "
    "spec: {hosts: [web], http: [{timeout: soon}]}}\n"
)
LOST = (
    "{apiVersion: networking.istio.io/v1, kind: VirtualService, metadata: {name: web}, "
    "spec: {hosts: [web], http: [{route: [{destination: {host: nowhere}}]}]}}\n"
)


def test_messages_are_printed_and_an_error_is_exit_status_1(tmp_path: Path) -> None:
    """With level, code, object, file and line, and what was wanted."""
    (tmp_path / "a.yaml").write_text(BAD, encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path))
    assert done.exit_code == 1
    assert (
        f"Error [IST0106] (VirtualService default/web {tmp_path}/a.yaml:1) spec.http[0].timeout: want a" in done.output
    )
    assert done.output.endswith("1 objects in 1 files, 1 messages\n")


def test_objects_are_judged_together(tmp_path: Path) -> None:
    """What is right by itself may lead nowhere; the namespace of the command is that of objects without one."""
    (tmp_path / "a.yaml").write_text(LOST, encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path), "-n", "shop", "-o", "json")
    assert done.exit_code == 1
    (message,) = json.loads(done.output)
    assert (message["code"], message["resource"], message["line"]) == ("IST0101", "VirtualService shop/web", 1)


def test_nothing_wrong_is_exit_status_0(tmp_path: Path) -> None:
    """As JSON: an empty list."""
    (tmp_path / "a.yaml").write_text(GOOD, encoding="utf-8")
    assert pilotctl("analyze", str(tmp_path)).exit_code == 0
    assert json.loads(pilotctl("analyze", str(tmp_path), "-o", "json").output) == []


def test_warnings_alone_do_not_fail_unless_asked(tmp_path: Path) -> None:
    """The object is served, perhaps not as meant."""
    (tmp_path / "a.yaml").write_text("hello: world\n", encoding="utf-8")
    done = pilotctl("analyze", str(tmp_path))
    assert done.output.startswith("Warning [IST0133] ")
    assert done.exit_code == 0
    assert pilotctl("analyze", str(tmp_path), "--failure-threshold", "warning").exit_code == 1
    assert pilotctl("analyze", str(tmp_path), "--output-threshold", "Error", "-o", "json").output == "[]\n"


def test_messages_can_be_suppressed(tmp_path: Path) -> None:
    """By code and object; a typo is told."""
    (tmp_path / "a.yaml").write_text(LOST, encoding="utf-8")
    assert pilotctl("analyze", str(tmp_path), "-S", "IST0101=VirtualService web.default").exit_code == 0
    done = pilotctl("analyze", str(tmp_path), "-S", "IST0101")
    assert done.exit_code != 0
    assert "--suppress: want CODE=OBJECT" in done.output


@pytest.mark.parametrize("analyzer", list(ANALYZERS))
def test_analyzers_can_be_listed(analyzer: str) -> None:
    """Without any path."""
    assert analyzer in pilotctl("analyze", "-L").output.splitlines()


def test_a_path_is_wanted() -> None:
    """Or there is nothing to look at."""
    done = pilotctl("analyze")
    assert done.exit_code != 0
    assert "want a file or a directory" in done.output


def test_a_message_as_data() -> None:
    """Every part under its name."""
    message = Message(
        code=Code.DEPRECATED, resource="VirtualService a/b", text="old", hint="mend it", origin=Origin("d", "f", 2)
    )
    assert message_data(message) == {
        "code": "IST0002",
        "level": "Warning",
        "resource": "VirtualService a/b",
        "file": "f",
        "line": 2,
        "message": "old",
        "hint": "mend it",
    }
