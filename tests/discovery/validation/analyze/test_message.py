from __future__ import annotations

from discovery.schema.meta import Origin
from discovery.validation.analyze.message import Code, Level, Message


def test_a_code_has_its_level() -> None:
    """Codes are texts of the field, each once, with a level."""
    assert str(Code.REFERENCED_RESOURCE_NOT_FOUND) == "IST0101"
    assert Code.REFERENCED_RESOURCE_NOT_FOUND.level is Level.ERROR
    assert Code.NAMESPACE_NOT_INJECTED.level is Level.INFO
    assert len(set(Code)) == len(Code.__members__)


def test_a_line_for_people() -> None:
    """Level, code, object, place, text and what to do."""
    message = Message(
        code=Code.DEPRECATED, resource="Sidecar a/b", text="is old", hint="renew it", origin=Origin("d", "f.yaml", 3)
    )
    assert str(message) == "Warning [IST0002] (Sidecar a/b f.yaml:3) is old (renew it)"


def test_a_level_of_its_own_counts() -> None:
    """Some findings are worse than their code is usually."""
    assert Message(code=Code.DEPRECATED, resource="x", text="y", level=Level.ERROR).severity is Level.ERROR
