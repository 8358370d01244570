from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import structlog

from discovery.runtime.logs import Logger, LogLevelError, configure_logging, get_logger, parse_levels


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    backend = Logger.backend
    yield
    Logger.backend = staticmethod(backend)
    structlog.reset_defaults()  # it holds this test's standard error


@pytest.mark.parametrize("plain", [True, False])
def test_both_backends_say_the_same(capsys: pytest.CaptureFixture[str], *, plain: bool) -> None:
    """Level, scope, event and facts, to standard error, filtered by scope."""
    configure_logging(levels="default:info,quiet:error", as_json=True, plain=plain)
    get_logger("loud").warning("something", key="value")
    get_logger("loud").debug("dropped")
    get_logger("quiet").warning("dropped")
    captured = capsys.readouterr()
    document = json.loads(captured.err)
    assert document.pop("time").endswith("Z")
    assert document == {"scope": "loud", "key": "value", "event": "something", "level": "warning"}
    assert captured.out == ""


def test_levels_are_read() -> None:
    """A bare level is the default's; an unknown one is an error that lists the known."""
    assert parse_levels("debug") == {"default": 10}
    assert parse_levels("xds:none")["xds"] > 50
    with pytest.raises(LogLevelError, match="want one of none, fatal"):
        parse_levels("default:loud")
