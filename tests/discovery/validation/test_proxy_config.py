"""Rules of ProxyConfig."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({"selector": {}}, []),
        ({"selector": {"matchLabels": {"": "b"}}}, ["selector"]),
        ({"environmentVariables": {"": "b"}}, ["environmentVariables"]),
        ({"environmentVariables": {"A": "b"}}, []),
    ],
)
def test_names_are_not_empty(spec: dict[str, Any], where: list[str]) -> None:
    """A label or a variable without name can never be met."""
    assert errors("ProxyConfig", spec) == where
