"""Route matches in a few characters."""

from __future__ import annotations

from typing import Any

import pytest

from discovery.ctl.views.match import describe_match


@pytest.mark.parametrize(
    ("match", "text"),
    [
        ({"prefix": "/"}, "/*"),
        ({"path": "/login"}, "/login"),
        ({"pathSeparatedPrefix": "/get"}, "PathPrefix:/get"),
        ({"safeRegex": {"regex": "/a.*"}}, "regex /a.*"),
        ({"prefix": "/", "headers": [{"name": "x"}]}, "/*"),
        ({}, ""),
    ],
)
def test_matches(match: dict[str, Any], text: str) -> None:
    """Paths only."""
    assert describe_match(match) == text
