"""Golden files: an input and what must come of it, side by side, printed so that a diff can be reviewed as code.

    CASES = Path(__file__).parent / "cases"

    @pytest.mark.parametrize("case", golden_cases(CASES))
    def test_listeners(case: GoldenCase, update_goldens: bool) -> None:
        messages = ...                                # of case.text()
        case.check("listeners", canonical(messages), update=update_goldens)

    def test_no_orphans() -> None:
        assert orphans(CASES, kinds=("listeners",)) == []

A case `x` is `x.in.yaml`; what it gives of a kind is `x.<kind>.yaml`. Cases are found by glob, so adding one is
adding two files. `pytest --update-goldens` writes the second.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from _pytest.mark import ParameterSet

from tests.kit.envoy_types import to_dict

__all__ = ["GoldenCase", "canonical", "golden_cases", "orphans"]

_INPUT = ".in.yaml"


class GoldenCase(msgspec.Struct, frozen=True):
    """One input file and its place."""

    name: str
    folder: Path

    def text(self) -> str:
        """The input as written."""
        return (self.folder / f"{self.name}{_INPUT}").read_text(encoding="utf-8")

    def path(self, kind: str) -> Path:
        """The file of expected output of that kind."""
        return self.folder / f"{self.name}.{kind}.yaml"

    def check(self, kind: str, actual: str, *, update: bool) -> None:
        """Compare with the golden, or write it; a difference fails with a diff and the command that accepts it."""
        path = self.path(kind)
        if update:
            path.write_text(actual, encoding="utf-8")
            return
        expected = path.read_text(encoding="utf-8") if path.exists() else ""
        if expected == actual:
            return
        diff = difflib.unified_diff(
            expected.splitlines(keepends=True), actual.splitlines(keepends=True), f"{path.name} (golden)", "now"
        )
        command = f"pytest --update-goldens {path.parents[1]} -k {self.name}"
        pytest.fail(f"{''.join(diff)}\nIf this is meant: {command}", pytrace=False)


def golden_cases(folder: Path) -> list[ParameterSet]:
    """All cases of a folder, by name.

    Raises:
        UsageError: there are none; a mistyped folder must not pass as "all equal".
    """
    names = sorted(path.name.removesuffix(_INPUT) for path in folder.glob(f"*{_INPUT}"))
    if not names:
        raise pytest.UsageError(f"no golden cases (*{_INPUT}) in {folder}")
    return [pytest.param(GoldenCase(name, folder), id=name) for name in names]


def orphans(folder: Path, *, kinds: Sequence[str]) -> list[str]:
    """Files that belong to no case: outputs without an input, and names of an unknown kind."""
    inputs = {path.name.removesuffix(_INPUT) for path in folder.glob(f"*{_INPUT}")}
    expected = {f"{name}.{kind}.yaml" for name in inputs for kind in (*kinds, "in")}
    return sorted(path.name for path in folder.iterdir() if path.name not in expected)


def canonical(messages: Iterable[Any]) -> str:
    """Messages as one YAML list: JSON names, keys sorted, messages in the order given, `Any` opened."""
    return yaml.safe_dump(
        [to_dict(message) for message in messages],
        sort_keys=True,
        allow_unicode=True,
        default_flow_style=False,
        width=120,
    )
