from __future__ import annotations

import asyncio
import gzip

import pytest

from agent.status import scrape as module
from agent.status.metrics import StatusMetrics
from agent.status.scrape import Scrape, ScrapeSources, scrape_timeout_s
from agent.status.scrape_targets import ScrapeTarget
from discovery.runtime.http import Headers, Request, Response
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
        scrape = Scrape(StatusMetrics(), lambda: b"own 1\n", ScrapeSources(envoy=target))
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
        result = await Scrape(metrics, lambda: b"own 1\n", ScrapeSources(envoy=TcpTarget("127.0.0.1", 1))).answer(
            _request()
        )
    else:
        async with serving(_Envoy(answer)) as target:
            result = await Scrape(metrics, lambda: b"own 1\n", ScrapeSources(envoy=target)).answer(_request())
    assert (result.status, result.body) == (200, b"own 1\n")
    assert metrics.scrape_failures.count("envoy") == 1


async def test_an_error_of_our_own_hides_nobody() -> None:
    """Envoy's metrics come all the same."""
    metrics = StatusMetrics()

    def broken() -> bytes:
        raise OSError("no /proc")

    async with serving(_Envoy(Response(body=b"envoy 2\n"))) as target:
        result = await Scrape(metrics, broken, ScrapeSources(envoy=target)).answer(_request())
    assert (result.status, result.body) == (200, b"envoy 2\n")
    assert metrics.scrape_failures.count("agent") == 1


async def test_a_source_that_hangs_hides_nobody() -> None:
    """The answer is there before Prometheus gives up."""
    metrics = StatusMetrics()

    given_up = asyncio.Event()

    async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(4096):
            pass
        writer.close()
        given_up.set()

    hanging = await asyncio.start_server(never, "127.0.0.1", 0)
    port = hanging.sockets[0].getsockname()[1]
    async with serving(_Envoy(Response(body=b"envoy 2\n"))) as target:
        sources = ScrapeSources(
            envoy=target, application=(ScrapeTarget(port=port, path="/metrics"),), application_host="127.0.0.1"
        )
        async with asyncio.timeout(0.5):
            result = await Scrape(metrics, lambda: b"own 1\n", sources).answer(
                _request(x_prometheus_scrape_timeout_seconds="0.5")
            )
    await given_up.wait()
    hanging.close()
    assert result.body == b"own 1\nenvoy 2\n"
    assert metrics.scrape_failures.count("application") == 1


async def test_metrics_may_be_for_this_host_only() -> None:
    """Then the peer's address decides."""
    scrape = Scrape(StatusMetrics(), lambda: b"own 1\n", ScrapeSources(), local_only=True)
    assert (await scrape.answer(_request())).status == 403
    assert (await scrape.answer(Request(method="GET", path="/metrics", peer="127.0.0.1"))).status == 200


class _App(ScriptedAdmin):
    """Tells its metrics in OpenMetrics or text."""

    def __init__(self, body: bytes, content_type: str = "text/plain", status: int = 200, headers: Headers = ()) -> None:
        super().__init__()
        self.answers["/metrics"] = Response(status=status, body=body, content_type=content_type, headers=headers)


_OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def _sources(*targets: TcpTarget, envoy: TcpTarget | None = None) -> ScrapeSources:
    wanted = tuple(ScrapeTarget(port=target.port, path="/metrics") for target in targets)
    return ScrapeSources(envoy=envoy, application=wanted, application_host="127.0.0.1")


async def test_the_application_comes_last_and_names_the_format() -> None:
    """It may be OpenMetrics, which nothing may follow; the query is Envoy's alone."""
    envoy, app = _Envoy(Response(body=b"envoy 2")), _App(b"app 3\n# EOF\n", _OPENMETRICS)
    async with serving(envoy) as at_envoy, serving(app) as at_app:
        scrape = Scrape(StatusMetrics(), lambda: b"own 1\n", _sources(at_app, envoy=at_envoy))
        answer = await scrape.answer(_request(accept="application/openmetrics-text;version=1.0.0,text/plain;q=0.5"))
    assert answer.body == b"own 1\nenvoy 2\napp 3\n# EOF\n"
    assert answer.content_type == _OPENMETRICS
    assert app.asked[0].query == ()
    assert app.asked[0].header("accept") == "application/openmetrics-text;version=1.0.0;q=0.9,text/plain;q=0.8"
    assert envoy.asked[0].header("accept") == "text/plain"


async def test_a_broken_application_hides_nobody() -> None:
    """The others' metrics come, the failure is counted, and the format is text."""
    metrics, envoy = StatusMetrics(), _Envoy(Response(body=b"envoy 2\n"))
    async with serving(envoy) as at_envoy, serving(_App(b"", status=500)) as at_app:
        scrape = Scrape(metrics, lambda: b"own 1\n", _sources(at_app, TcpTarget("127.0.0.1", 1), envoy=at_envoy))
        answer = await scrape.answer(_request())
    assert answer.body == b"own 1\nenvoy 2\n"
    assert answer.content_type.startswith("text/plain")
    assert metrics.scrape_failures.count("application") == 2


async def test_several_targets_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """One of them too large is left out: all are held in memory at once."""
    monkeypatch.setattr(module, "_MAX_TARGET_BYTES", 20)
    metrics = StatusMetrics()
    async with (
        serving(_App(b"one 1")) as one,
        serving(_App(b"two_is_too_large 2.000\n")) as two,
        serving(_App(b"three 3\n")) as three,
    ):
        answer = await Scrape(metrics, lambda: b"", _sources(one, two, three)).answer(_request())
    assert answer.body == b"one 1\nthree 3\n"
    assert metrics.scrape_failures.count("application") == 1


_ACCEPTS_ALL = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"


@pytest.mark.parametrize(
    "app",
    [
        _App(b"<html>Sign in</html>", "text/html"),
        _App(b"\x0a\x05hello\xff", "application/vnd.google.protobuf"),
        _App(b"app 3\n", _OPENMETRICS),
        _App(b"app 3\n", headers=(("content-encoding", "br"),)),
        _App(b"app 3\n", headers=(("content-encoding", "gzip"),)),
        _App(gzip.compress(b"app 3\n")[:-9], headers=(("content-encoding", "gzip"),)),
    ],
    ids=["page", "protobuf", "no end", "brotli", "no gzip", "half a gzip"],
)
async def test_an_answer_that_is_no_metrics_hides_nobody(app: _App) -> None:
    """Prometheus would refuse the whole scrape for it; so it is left out, counted, and the rest is plain text."""
    metrics = StatusMetrics()
    async with serving(app) as at_app:
        answer = await Scrape(metrics, lambda: b"own 1\n", _sources(at_app)).answer(_request(accept=_ACCEPTS_ALL))
    assert (answer.body, answer.content_type) == (b"own 1\n", "text/plain; version=0.0.4; charset=utf-8")
    assert metrics.scrape_failures.count("application") == 1


async def test_an_application_that_always_compresses_is_unpacked() -> None:
    """Though nobody asked it to."""
    app = _App(gzip.compress(b"app 3\n"), headers=(("content-encoding", "gzip"),))
    async with serving(app) as at_app:
        answer = await Scrape(StatusMetrics(), lambda: b"own 1\n", _sources(at_app)).answer(_request())
    assert answer.body == b"own 1\napp 3\n"


async def test_what_is_unpacked_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small answer may hide a large one."""
    monkeypatch.setattr(module, "_MAX_UNPACKED_BYTES", 100)
    app = _App(gzip.compress(b"app 3\n" * 100), headers=(("content-encoding", "gzip"),))
    async with serving(app) as at_app:
        answer = await Scrape(StatusMetrics(), lambda: b"own 1\n", _sources(at_app)).answer(_request())
    assert answer.body == b"own 1\n"


async def test_gzip_on_request() -> None:
    """For whoever takes it, and where it is worth it."""
    scrape = Scrape(StatusMetrics(), lambda: b"own 1\n" * 1000, ScrapeSources())
    plain = await scrape.answer(_request(accept_encoding="br"))
    packed = await scrape.answer(_request(accept_encoding="gzip, br"))
    assert plain.header("content-encoding") == ""
    assert packed.header("content-encoding") == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    small = await Scrape(StatusMetrics(), lambda: b"own 1\n", ScrapeSources()).answer(_request(accept_encoding="gzip"))
    assert small.body == b"own 1\n"


@pytest.mark.parametrize(
    ("text", "seconds"), [("5", 4.5), ("60", 59), ("", 30), ("x", 30), ("-1", 30), ("nan", 30), ("1e9", 30)]
)
def test_prometheus_says_how_long_it_waits(text: str, seconds: float) -> None:
    """Sources have somewhat less; a header that makes no sense means our default."""
    assert scrape_timeout_s(_request(x_prometheus_scrape_timeout_seconds=text)) == seconds
