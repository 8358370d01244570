"""Golden cases that lie beside the repository, as pytest parameters with a score per area.

    @pytest.mark.parametrize("case", cases("pki"))
    def test_pki(case: Case) -> None:
        ...                                     # assert; the case counts when the test passes

At the end of the run one line per area says `AREA: N of M`. Without the folder there are no parameters: pytest skips.
Cases that are known to fail stand in `tests/conformance/expected_failures/<area, / as _>.txt`, one name a line, `#` for
the reason. One of them that passes fails the run until its line is taken off: the list can only shrink.

A second, laxer comparison is a second test with `cases("bootstrap", score="bootstrap (lax)")` and its own list. Parts
inside of cases (calls of a simulation) are counted with the fixture `tally`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
import yaml
from _pytest.mark import ParameterSet

__all__ = ["CONFORMANCE_ROOT", "Case", "Score", "cases", "conformance_property", "tally_property"]

CONFORMANCE_ROOT: Final = Path(__file__).resolve().parents[3] / "shared" / "conformance"
_EXPECTED_FAILURES: Final = Path(__file__).resolve().parents[1] / "conformance" / "expected_failures"
_CASE: Final = "conformance case"
_TALLY: Final = "conformance tally"


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """One case of an area.

    Attributes:
        area: the folder's name, for example `gateway-api/deployment`.
        score: the name its result counts under.
        total: how many cases the area has.
        data: the case's entry laid over the area's `defaults`, one level deep; its own `defaults` entry is the latter.
        folder: what file names in the case are relative to.
    """

    area: str
    score: str
    total: int
    name: str
    data: Mapping[str, Any]
    folder: Path

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or `default` where neither the case nor the area's defaults have it."""
        return self.data.get(key, default)

    def path(self, name: str) -> Path:
        """A file that the case names."""
        return self.folder / name

    def read(self, name: str) -> bytes:
        """The content of a file that the case names."""
        return self.path(name).read_bytes()

    def text(self, name: str) -> str:
        """The same as text."""
        return self.path(name).read_text(encoding="utf-8")


def cases(area: str, *, score: str = "", where: Callable[[Case], bool] = lambda case: True) -> list[ParameterSet]:
    """The cases of an area as parameters, those expected to fail marked; none if the data is not there.

    Args:
        area: folder below the root.
        score: what to print the result under, and the name of the list of expected failures; the area if empty.
        where: takes a part of the cases, for areas that several tests share; all still count in one score.
    """
    folder = CONFORMANCE_ROOT / area
    if not folder.is_dir():
        return []
    document = yaml.safe_load((folder / "cases.yaml").read_text(encoding="utf-8"))
    defaults = document.get("defaults") or {}
    score = score or area
    everything = [
        Case(
            area=area,
            score=score,
            total=len(document["cases"]),
            name=entry["name"],
            data={"defaults": defaults, **defaults, **entry},
            folder=folder,
        )
        for entry in document["cases"]
    ]
    failing = _expected_failures(score, known={case.name for case in everything})
    return [_parameter(case, failing) for case in everything if where(case)]


def _parameter(case: Case, failing: Mapping[str, str]) -> ParameterSet:
    if case.name not in failing:
        return pytest.param(case, id=case.name)
    mark = pytest.mark.xfail(strict=True, reason=failing[case.name] or "not there yet")
    return pytest.param(case, id=case.name, marks=mark)


def _expected_failures(score: str, *, known: set[str]) -> dict[str, str]:
    path = _EXPECTED_FAILURES / f"{score.replace('/', '_').replace(' ', '_')}.txt"
    if not path.exists():
        return {}
    lines = (line.partition("#") for line in path.read_text(encoding="utf-8").splitlines())
    failing = {name.strip(): reason.strip() for name, _, reason in lines if name.strip()}
    unknown = sorted(failing.keys() - known)
    if unknown:
        raise pytest.UsageError(f"{path.name} names cases that the area does not have: {', '.join(unknown)}")
    return failing


def conformance_property(case: Case) -> tuple[str, object]:
    """What a test's report carries for the score; lists, for reports cross process borders as JSON."""
    return (_CASE, [case.score, case.name, case.total])


def tally_property(name: str, good: int, total: int) -> tuple[str, object]:
    """What a test's report carries for a count of parts."""
    return (_TALLY, [name, good, total])


class Score:
    """Adds up the reports of a session."""

    def __init__(self) -> None:
        self._totals: dict[str, int] = {}
        self._good: defaultdict[str, set[str]] = defaultdict(set)
        self._bad: defaultdict[str, set[str]] = defaultdict(set)
        self._tallies: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))

    def add(self, report: pytest.TestReport) -> None:
        """Count one report; a case is good if every test of it passed, and an expected failure is not good."""
        for key, value in report.user_properties:
            if key == _CASE and isinstance(value, list) and (report.when == "call" or not report.passed):
                score, name, total = value
                self._totals[score] = total
                kind = self._good if report.passed and not hasattr(report, "wasxfail") else self._bad
                kind[score].add(name)
            elif key == _TALLY and isinstance(value, list) and report.when == "call":
                good, total = self._tallies[value[0]]
                self._tallies[value[0]] = (good + value[1], total + value[2])

    def lines(self) -> Iterable[str]:
        """`AREA: N of M` for each area met, sorted."""
        counts = {name: (len(self._good[name] - self._bad[name]), total) for name, total in self._totals.items()}
        return [f"{name}: {good} of {total}" for name, (good, total) in sorted({**counts, **self._tallies}.items())]
