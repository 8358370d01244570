"""What a scraper would refuse is found before it hides the rest."""

from __future__ import annotations

import pytest

from agent.status.exposition import judge_exposition


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n",
        b"a 1",
        b"# TYPE a counter\na 1\n",
        b"  # said\r\n\r\n\ta:b_1 -1.5e3 1700000000\r\n",
        b'a{b="}\\"\\n",c="\xc3\xa9"} NaN\nd{} +Inf\ne -inf\n',
        b'{"my.metric",a="b"} 1\n{ "other" } 2\n',
    ],
)
def test_metrics(body: bytes) -> None:
    """All that the text formats allow, names in quotes included."""
    assert judge_exposition(body, openmetrics=False) == ""


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html><body>Sign in</body></html>", "line 1 is no metric: '<html><body>Sign in</body></html>'"),
        (b"Not found", "line 1 is no metric"),
        (b"error: no database\n", "line 1 is no metric"),
        (b'{"status": "ok"}', "line 1 is no metric"),
        (b'{\n "status": "ok"\n}', "line 1 is no metric: '{'"),
        (b"a 1\nb 2\napp_", "line 3 is no metric: 'app_'"),
        (b"a 1\n1a 2\n", "line 2 is no metric"),
        (b"\x0a\x05hello\x12\xff", "byte 8 is no UTF-8"),
        (b"x" * 1000, f"line 1 is no metric: '{'x' * 60}'"),
    ],
)
def test_what_is_none(body: bytes, words: str) -> None:
    """Pages, words, JSON, bytes and what is cut off, with the line."""
    assert judge_exposition(body, openmetrics=False).startswith(words)


@pytest.mark.parametrize(
    ("body", "good"),
    [
        (b"# EOF", True),
        (b"a 1\n# EOF\n", True),
        (b"a 1\n", False),
        (b"", False),
        (b"a 1\n# EOF\nb 2\n", False),
        (b"a 1\n# EOF\nb 2\n# EOF\n", False),
    ],
)
def test_openmetrics_has_one_end(body: bytes, good: bool) -> None:
    """Which nothing follows; without it nobody knows whether something is missing."""
    assert (judge_exposition(body, openmetrics=True) == "") is good
