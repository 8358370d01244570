"""Where the application tells its metrics."""

from __future__ import annotations

import pytest

from agent.status.scrape_targets import ScrapeTarget, ScrapeTargetError, parse_scrape_targets


@pytest.mark.parametrize(
    ("text", "targets"),
    [
        ("", []),
        ('{"scrape": "false", "port": "8080"}', []),
        ('{"scrape": "true"}', [(80, "/metrics")]),
        ('{"scrape": "true", "port": "8080", "path": "m?x=y"}', [(8080, "/m?x=y")]),
        (
            '{"port": "1", "targets": [{"port": "9090", "path": "/m"}, {"port": "9091"}]}',
            [(9090, "/m"), (9091, "/metrics")],
        ),
        ('{"targets": [{"port": "9090"}, {"port": "09090"}]}', [(9090, "/metrics")]),
    ],
)
def test_targets(text: str, targets: list[tuple[int, str]]) -> None:
    """The list counts before the single one, repetitions once; defaults are Prometheus's."""
    assert parse_scrape_targets(text, reserved=()) == tuple(
        ScrapeTarget(port=port, path=path) for port, path in targets
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no JSON"),
        ("[]", "want an object"),
        ('{"targets": {}, "port": "x"}', "port 'x'"),
        ('{"targets": [1]}', "targets"),
        ('{"port": "70000"}', "1 to 65535"),
        ('{"port": "015020"}', "15020 is the agent's"),
        ('{"port": "15090"}', "15090 is the agent's"),
        ('{"port": "15999"}', "15999 is the agent's"),
    ],
)
def test_faults(text: str, words: str) -> None:
    """A scrape must not go in circles, however the port is written."""
    with pytest.raises(ScrapeTargetError, match=words):
        parse_scrape_targets(text, reserved={15999})


@pytest.mark.parametrize("port", [80, 8080, 9090, 15002, 15007, 15091, 15099])
def test_other_ports_are_free(port: int) -> None:
    """Only the mesh's own ports are taken."""
    assert parse_scrape_targets(f'{{"port": "{port}"}}', reserved=())[0].port == port
