from __future__ import annotations

from pathlib import Path

import pytest

from discovery.validation.analyze.message import Code, Level
from discovery.validation.analyze.registry import ANALYZERS, analyze, parse_suppression
from tests.kit.analysis import world

TEXT = """
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: v}
spec: {hosts: [a], http: [{route: [{destination: {host: nowhere}}]}]}
"""


def test_the_worst_comes_first() -> None:
    """All analyzers run unless some are named."""
    messages = analyze(world(TEXT))
    assert [str(message.code) for message in messages] == ["IST0101", "IST0102"]
    assert [message.severity for message in messages] == [Level.ERROR, Level.INFO]
    assert messages[0].origin.line == 4
    assert analyze(world(TEXT), names=["webhook.Analyzer"]) == []
    assert analyze(world("")) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("IST0101=VirtualService v.shop", ["IST0102"]),
        ("IST0101=VirtualService *.shop", ["IST0102"]),
        ("IST0101=*", ["IST0102"]),
        ("IST0101=VirtualService w.shop", ["IST0101", "IST0102"]),
        ("IST0102=Namespace shop", ["IST0101"]),
    ],
)
def test_messages_can_be_suppressed(text: str, left: list[str]) -> None:
    """By code and object, with wildcards."""
    messages = analyze(world(TEXT), suppressed=[parse_suppression(text)])
    assert [str(message.code) for message in messages] == left


@pytest.mark.parametrize("value", ["IST0101", "'*'", "IST0102, IST0101"])
def test_owners_suppress_by_annotation(value: str) -> None:
    """On the object itself."""
    metadata = f"metadata: {{name: v, annotations: {{galley.istio.io/analyze-suppress: {value}}}}}".replace(
        ": IST0102, IST0101}", ": 'IST0102, IST0101'}"
    )
    messages = analyze(world(TEXT.replace("metadata: {name: v}", metadata)))
    assert [str(message.code) for message in messages] == ["IST0102"]


@pytest.mark.parametrize("text", ["IST0101", "IST0101=", "IST9999=*"])
def test_a_suppression_that_says_nothing(text: str) -> None:
    """It would hide a typo."""
    with pytest.raises(ValueError, match="IST"):
        parse_suppression(text)


def test_every_analyzer_has_nothing_to_say_of_nothing() -> None:
    """None of them needs objects to be there."""
    for name in ANALYZERS:
        assert analyze(world(""), names=[name]) == [], name


def test_the_reference_page_has_every_code() -> None:
    """With its level; people look codes up."""
    page = (Path(__file__).parents[4] / "docs" / "reference" / "analysis.md").read_text(encoding="utf-8")
    elsewhere = {Code.VIRTUAL_SERVICE_UNREACHABLE_RULE, Code.VIRTUAL_SERVICE_INEFFECTIVE_MATCH}
    missing = [f"| {code.value} | {code.level} |" for code in Code if code not in elsewhere]
    assert [row for row in missing if row not in page] == []
