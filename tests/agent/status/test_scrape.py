from __future__ import annotations

import pytest

from agent.status.metrics import StatusMetrics
from agent.status.scrape import Scrape, accepted_by_envoy, scrape_timeout_s
from discovery.runtime.http import Request, Response
from discovery.runtime.http_client import TcpTarget
from tests.kit.admin import ScriptedAdmin, serving


class _Envoy(ScriptedAdmin):
    """Answers the Prometheus path, which has a slash in it."""

    def __init__(self, answer: Response) -> None:
        super().__init__()
        self.answers["/stats/prometheus"] = answer


def _request(**headers: str) -> Request:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Request(method="GET", path="/stats/prometheus", headers=named, query=(("usedonly", ""),), peer="10.0.0.9")


async def test_own_metrics_come_first() -> None:
    """Then Envoy's, line by line; the query goes to Envoy, and so does what it may answer."""
    envoy = _Envoy(Response(body=b"envoy 2\n"))
    async with serving(envoy) as target:
        scrape = Scrape(StatusMetrics(), lambda: b"own 1\n", envoy=target)
        answer = await scrape.answer(
            _request(user_agent="prom", accept="application/openmetrics-text, text/plain;q=0.5")
        )
    assert answer.body == b"own 1\nenvoy 2\n"
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert envoy.asked[0].query == (("usedonly", ""),)
    assert (envoy.asked[0].header("accept"), envoy.asked[0].header("user-agent")) == ("text/plain", "prom")


@pytest.mark.parametrize("answer", [Response(status=503), None])
async def test_a_broken_source_is_left_out_and_counted(answer: Response | None) -> None:
    """The scrape succeeds with what there is."""
    metrics = StatusMetrics()
    if answer is None:
        result = await Scrape(metrics, lambda: b"own 1\n", envoy=TcpTarget("127.0.0.1", 1)).answer(_request())
    else:
        async with serving(_Envoy(answer)) as target:
            result = await Scrape(metrics, lambda: b"own 1\n", envoy=target).answer(_request())
    assert (result.status, result.body) == (200, b"own 1\n")
    assert metrics.scrape_failures.count("envoy") == 1


async def test_metrics_may_be_for_this_host_only() -> None:
    """Then the peer's address decides."""
    scrape = Scrape(StatusMetrics(), lambda: b"own 1\n", envoy=None, local_only=True)
    assert (await scrape.answer(_request())).status == 403
    assert (await scrape.answer(Request(method="GET", path="/metrics", peer="127.0.0.1"))).status == 200


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("text/plain;version=0.0.4;q=0.3", "text/plain;version=0.0.4"),
        ("*/*", "text/plain;version=0.0.4"),
        ("", "text/plain;version=0.0.4"),
        ("application/vnd.google.protobuf", "text/plain;version=0.0.4"),
        (
            "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1",
            "text/plain;q=0.9,text/plain;version=0.0.4;q=0.8",
        ),
    ],
)
def test_only_texts_can_be_joined(accept: str, wanted: str) -> None:
    """Formats that cannot be concatenated are not asked for; the order of preference stays."""
    assert accepted_by_envoy(accept) == wanted


@pytest.mark.parametrize(("text", "seconds"), [("7.5", 7.5), ("", 30), ("x", 30), ("-1", 30), ("nan", 30), ("1e9", 30)])
def test_prometheus_says_how_long_it_waits(text: str, seconds: float) -> None:
    """A header that makes no sense means our default."""
    assert scrape_timeout_s(_request(x_prometheus_scrape_timeout_seconds=text)) == seconds
