"""What holds for every test: prerequisites of marked tests, goldens, the conformance score, no hypothesis deadlines."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import structlog
from hypothesis import settings

from discovery.runtime.logs import Logger
from tests.kit.conformance import Case, Score, conformance_property, tally_property
from tests.kit.kube_api.fixture import kube_api
from tests.kit.prerequisites import CHECKS, missing
from tests.kube.fixture import REAL, REAL_ONLY, cluster, control_plane

__all__ = ["cluster", "control_plane", "kube_api"]

IN_CI = os.environ.get("CI", "").lower() == "true"  # noqa: TID251 - a setting of the test session

# Examples are timed by nothing: on a shared machine any of them may be slow once.
settings.register_profile("pilot-mesh", deadline=None)
settings.load_profile("pilot-mesh")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Programs set up the logging of the whole process; the next test finds nothing of that."""
    backend = Logger.__dict__["backend"]
    yield
    Logger.backend = backend
    if structlog.is_configured():
        structlog.reset_defaults()


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--update-goldens`: rewrite expected files from what the code gives now. `--kube`: which API server."""
    parser.addoption("--update-goldens", action="store_true", help="rewrite golden files; refused where CI=true")
    parser.addoption(
        "--kube",
        choices=("double", REAL),
        default="double",
        help="API server of the tests: in-process, or kube-apiserver",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse to rewrite goldens where nobody would review them."""
    if config.getoption("--update-goldens") and IN_CI:
        raise pytest.UsageError("--update-goldens is refused where CI=true: rewrite them locally and review the diff")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A missing prerequisite skips locally and fails in CI, where nobody would notice a skip."""
    for marker in CHECKS:
        needed = item.get_closest_marker(marker) and (marker != "kube" or item.config.getoption("--kube") == REAL)
        reason = missing(marker) if needed else ""
        if reason and IN_CI:
            pytest.fail(f"{marker}: {reason}", pytrace=False)
        if reason:
            pytest.skip(f"{marker}: {reason}")


@pytest.fixture
def update_goldens(request: pytest.FixtureRequest) -> bool:
    """Whether to write expected files instead of comparing with them."""
    return bool(request.config.getoption("--update-goldens"))


@pytest.fixture
def tally(request: pytest.FixtureRequest) -> Callable[[str, int, int], None]:
    """Count parts of a conformance case: `tally("simulation calls", good, total)` adds to a score line of that name."""

    def add(name: str, good: int, total: int) -> None:
        request.node.user_properties.append(tally_property(name, good, total))

    return add


@pytest.hookimpl(tryfirst=True)  # before `-m` picks by marks
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let the reports of conformance cases carry what they count for, to wherever they are added up.

    What asks for an API server is a test of `make test-kube` too: nobody can forget the mark. Tests that need the real
    API server, and no double, are left to it.
    """
    for item in items:
        if "kube_api" in getattr(item, "fixturenames", ()):
            item.add_marker("kube")
    if config.getoption("--kube") != REAL:
        real_only = [item for item in items if REAL_ONLY & set(getattr(item, "fixturenames", ()))]
        config.hook.pytest_deselected(items=real_only)
        items[:] = [item for item in items if not REAL_ONLY & set(getattr(item, "fixturenames", ()))]
    for item in items:
        for value in item.callspec.params.values() if isinstance(item, pytest.Function) and _has_spec(item) else ():
            if isinstance(value, Case):
                item.user_properties.append(conformance_property(value))


def _has_spec(item: pytest.Function) -> bool:
    return hasattr(item, "callspec")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one line `AREA: N of M` for each conformance area that ran."""
    score = Score()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                score.add(report)
    for line in score.lines():
        terminalreporter.write_line(line)
