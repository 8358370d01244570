"""What requests meet: each routing and traffic policy judged by what a real Envoy does with real requests.

One Envoy and two versions of an application serve all tests of the module; each test edits one file of the mesh and
knows that Envoy has taken it by a response header that the edit adds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from discovery.runtime.clock import SystemClock
from discovery.runtime.http import Request, Response
from discovery.runtime.http_client import HttpClientError
from tests.kit.free_ports import free_ports
from tests.kit.live import LiveDiscovery, live_discovery, until
from tests.kit.live_backend import Backend, call, serving_backend
from tests.kit.live_proxy import LiveProxy, ProxyNode, live_proxy

pytestmark = [pytest.mark.envoy]

CASES = Path(__file__).parent / "cases"
HOST = "app.example"

V1 = {"destination": {"host": HOST, "subset": "v1"}}
V2 = {"destination": {"host": HOST, "subset": "v2"}}


class Road(NamedTuple):
    """The caller's sidecar and what lies behind it."""

    discovery: LiveDiscovery
    proxy: LiveProxy
    v1: Backend
    v2: Backend
    out: int
    numbers: count[int]

    async def call(self, path: str = "/", *, method: str = "GET", **headers: str) -> Response:
        """A request of the application."""
        pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return await call(("127.0.0.1", self.out), path, host=f"{HOST}:{self.out}", headers=pairs, method=method)

    async def route(self, *routes: dict[str, object]) -> None:
        """Serve by these routes; they come after one that says which edit is in force."""
        number = str(next(self.numbers))
        probe = {
            "match": [{"uri": {"exact": "/edit"}}],
            "directResponse": {"status": 200, "body": {"string": number}},
        }
        document = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": {"name": "app", "namespace": "default"},
            "spec": {"hosts": [HOST], "http": [probe, *routes]},
        }
        self.discovery.write("route.yaml", yaml.safe_dump(document))

        async def taken() -> bool:
            try:
                return (await self.call("/edit")).body == number.encode()
            except HttpClientError:
                return False  # Envoy lists a listener as active before its worker accepts

        await until(taken, lambda: f"{self.discovery.program.text[-3000:]}\n{self.proxy.program.text[-3000:]}")
        for backend in (self.v1, self.v2):
            backend.asked.clear()
            backend.fail()

    async def policy(self, policy: dict[str, object], *, limit_seen: str) -> None:
        """Serve by this traffic policy; it is in force when the cluster of v1 has this in its dump."""
        document = {
            "apiVersion": "networking.istio.io/v1",
            "kind": "DestinationRule",
            "metadata": {"name": "app", "namespace": "default"},
            "spec": {
                "host": HOST,
                "trafficPolicy": policy,
                "subsets": [{"name": name, "labels": {"version": name}} for name in ("v1", "v2")],
            },
        }
        self.discovery.write("policy.yaml", yaml.safe_dump(document))

        async def taken() -> bool:
            clusters = [await self.proxy.cluster(f"outbound|{self.out}|{subset}|{HOST}") for subset in ("", "v1", "v2")]
            return all(limit_seen in str(cluster) for cluster in clusters)

        await until(taken, lambda: self.discovery.program.text[-3000:])


@pytest.fixture
async def road(tmp_path: Path) -> AsyncIterator[Road]:
    """Everything running; both versions answer with their names."""
    (out,) = free_ports(1)
    config = tmp_path / "config"
    config.mkdir()
    async with AsyncExitStack() as stack:
        v1 = await stack.enter_async_context(serving_backend("v1"))
        v2 = await stack.enter_async_context(serving_backend("v2"))
        text = (CASES / "traffic.yaml").read_text(encoding="utf-8")
        for name, port in {"PORT_V1": v1.port, "PORT_V2": v2.port, "PORT_OUT": out}.items():
            text = text.replace(name, str(port))
        service, rule, sidecar = text.split("---\n")
        (config / "service.yaml").write_text(service, encoding="utf-8")
        (config / "policy.yaml").write_text(rule, encoding="utf-8")
        (config / "sidecar.yaml").write_text(sidecar, encoding="utf-8")
        discovery = await stack.enter_async_context(live_discovery(tmp_path, config))
        node = ProxyNode(name="caller-0", ip="127.0.0.1", labels={"app": "caller"})
        proxy = await stack.enter_async_context(live_proxy(tmp_path, discovery, node))
        await proxy.until_listening(f"127.0.0.1_{out}")
        yield Road(discovery, proxy, v1, v2, out, count(1))
        assert not await proxy.rejected()


async def test_routing(road: Road) -> None:
    """Matches in their order, weights, rewrites, redirects, headers, direct answers, faults and mirrors."""
    await _split(road)
    await _match(road)
    await _rewrite(road)
    await _redirect(road)
    await _headers(road)
    await _abort(road)
    await _delay(road)
    await _mirror(road)


async def _split(road: Road) -> None:
    """Weights are shares: 300 requests at 80 to 20 lie within four standard deviations."""
    await road.route({"route": [{**V1, "weight": 80}, {**V2, "weight": 20}]})
    answers = Counter([(await road.call()).body for _ in range(300)])
    assert set(answers) == {b"v1", b"v2"}
    assert abs(answers[b"v2"] - 60) <= 4 * (300 * 0.8 * 0.2) ** 0.5


async def _match(road: Road) -> None:
    """The first route that matches counts; all conditions of one match must hold, any match of a route is enough."""
    await road.route(
        {
            "match": [
                {"headers": {"end-user": {"exact": "ann"}}, "uri": {"prefix": "/books"}},
                {"method": {"exact": "POST"}},
                {"queryParams": {"beta": {"regex": "y.*"}}},
                {"withoutHeaders": {"always": {}}, "uri": {"regex": "/r[0-9]+"}},
                {"uri": {"prefix": "/UPPER"}, "ignoreUriCase": True},
            ],
            "route": [V2],
        },
        {"route": [V1]},
    )
    cases: list[tuple[bytes, Response]] = [
        (b"v2", await road.call("/books/1", end_user="ann")),
        (b"v1", await road.call("/other", end_user="ann")),
        (b"v1", await road.call("/books/1", end_user="bob")),
        (b"v2", await road.call(method="POST")),
        (b"v2", await road.call("/?beta=yes")),
        (b"v1", await road.call("/?beta=no")),
        (b"v2", await road.call("/r12")),
        (b"v1", await road.call("/r12x")),
        (b"v1", await road.call("/r12", always="1")),
        (b"v2", await road.call("/upper/x")),
    ]
    assert [answer.body for _, answer in cases] == [expected for expected, _ in cases]


async def _rewrite(road: Road) -> None:
    """The application sees the rewritten path and authority, query kept."""
    await road.route(
        {
            "match": [{"uri": {"prefix": "/old/"}}],
            "rewrite": {"uri": "/new/", "authority": "other.example"},
            "route": [V1],
        },
        {
            "match": [{"uri": {"prefix": "/by-id"}}],
            "rewrite": {"uriRegexRewrite": {"match": "^/by-id/([0-9]+)$", "rewrite": r"/id?\1"}},
            "route": [V1],
        },
    )
    await road.call("/old/x?q=1")
    assert (road.v1.asked[-1].path, road.v1.asked[-1].query) == ("/new/x", (("q", "1"),))
    assert road.v1.asked[-1].header("host") == "other.example"
    await road.call("/by-id/42")
    assert road.v1.asked[-1].path.startswith("/id")


async def _redirect(road: Road) -> None:
    """Status and Location as written; the application is not asked."""
    await road.route(
        {
            "match": [{"uri": {"prefix": "/moved"}}],
            "redirect": {"uri": "/to", "authority": "new.example", "redirectCode": 302},
        },
        {"match": [{"uri": {"prefix": "/secure"}}], "redirect": {"scheme": "https", "port": 8443}},
        {"directResponse": {"status": 418, "body": {"string": "no coffee"}}},
    )
    moved, secure, other = await road.call("/moved/x"), await road.call("/secure/y"), await road.call("/z")
    assert (moved.status, moved.header("location")) == (302, "http://new.example/to")
    assert (secure.status, secure.header("location")) == (301, f"https://{HOST}:8443/secure/y")
    assert (other.status, other.body) == (418, b"no coffee")
    assert not road.v1.asked


async def _headers(road: Road) -> None:
    """Set, added and removed on the way there and back, for the route and for one destination."""
    await road.route(
        {
            "headers": {
                "request": {"set": {"x-set": "new"}, "add": {"x-add": "two"}, "remove": ["x-gone"]},
                "response": {"set": {"x-back": "yes"}},
            },
            "route": [{**V1, "headers": {"request": {"set": {"x-version": "one"}}}}],
        }
    )
    response = await road.call(x_set="old", x_add="one", x_gone="1")
    seen = dict(road.v1.asked[-1].headers)
    assert (seen["x-set"], seen["x-version"], "x-gone" in seen) == ("new", "one", False)
    values = [part for name, value in road.v1.asked[-1].headers if name == "x-add" for part in value.split(",")]
    assert values == ["one", "two"]
    assert response.header("x-back") == "yes"


async def _abort(road: Road) -> None:
    """Those who match meet the fault, and the application is not asked; others pass."""
    await road.route(
        {
            "match": [{"headers": {"fail": {"exact": "1"}}}],
            "fault": {"abort": {"percentage": {"value": 100}, "httpStatus": 503}},
            "route": [V1],
        },
        {"route": [V1]},
    )
    assert (await road.call(fail="1")).status == 503
    assert not road.v1.asked
    assert (await road.call()).status == 200


async def _delay(road: Road) -> None:
    """Held back by as much as was written, then answered."""
    await road.route({"fault": {"delay": {"percentage": {"value": 100}, "fixedDelay": "0.3s"}}, "route": [V1]})
    clock = SystemClock()
    began = clock.monotonic()
    assert (await road.call()).body == b"v1"
    assert 0.29 <= clock.monotonic() - began < 5  # Envoy counts in milliseconds


async def _mirror(road: Road) -> None:
    """A copy goes to the other version; its answer is nobody's, even if it fails."""
    await road.route({"route": [V1], "mirrors": [{**V2, "percentage": {"value": 100}}]})
    road.v2.fail(500)
    assert (await road.call("/copied")).body == b"v1"
    await road.v2.asked_times(1)
    assert road.v2.asked[0].path == "/copied"


async def test_failures(road: Road) -> None:
    """Timeouts, retries, circuit breakers and ejection of outliers."""
    await _retry(road)
    await _timeout(road)
    await _ejection(road)
    await _overflow(road)


async def _retry(road: Road) -> None:
    """Failed attempts are repeated as often as was written, and not where retries are off."""
    await road.route({"route": [V1], "retries": {"attempts": 2, "retryOn": "5xx"}})
    road.v1.fail(500, 502)
    assert (await road.call()).body == b"v1"
    assert len(road.v1.asked) == 3
    await road.route({"route": [V1], "retries": {"attempts": 0}})
    road.v1.fail(503)
    assert (await road.call()).status == 503
    assert len(road.v1.asked) == 1
    await road.route({"route": [V1]})  # the mesh's default is for requests that did not arrive; this one did
    road.v1.fail(503)
    assert (await road.call()).status == 503
    assert len(road.v1.asked) == 1


async def _timeout(road: Road) -> None:
    """A slow application is given up after the route's time, each attempt after its own."""
    clock = SystemClock()
    await road.route({"route": [V1], "timeout": "0.2s"})
    road.v1.hang()
    began = clock.monotonic()
    assert (await road.call()).status == 504
    assert 0.19 <= clock.monotonic() - began < 5
    await road.route({"route": [V1], "retries": {"attempts": 2, "perTryTimeout": "0.1s", "retryOn": "gateway-error"}})
    road.v1.hang()
    assert (await road.call()).status == 504
    assert len(road.v1.asked) == 3


async def _ejection(road: Road) -> None:
    """After so many errors an endpoint gets no requests, and the others get all."""
    outlier = {"consecutive5xxErrors": 2, "interval": "0.05s", "baseEjectionTime": "60s", "maxEjectionPercent": 100}
    await road.policy({"outlierDetection": outlier, "loadBalancer": {"simple": "ROUND_ROBIN"}}, limit_seen="60s")
    await road.route({"route": [{"destination": {"host": HOST}}], "retries": {"attempts": 0}})

    async def failing(_request: Request) -> Response:
        return Response(status=500)

    road.v1.answer = failing

    async def ejected() -> bool:
        await road.call()
        return sum((await road.proxy.stats("ejections_active$")).values()) == 1

    await until(ejected, lambda: road.proxy.program.text)
    asked = len(road.v1.asked)
    assert [(await road.call()).body for _ in range(6)] == [b"v2"] * 6
    assert len(road.v1.asked) == asked


async def _overflow(road: Road) -> None:
    """More requests at once than the limits allow are answered with 503, at once."""
    pool = {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 1}}
    await road.policy({"connectionPool": pool}, limit_seen="'max_pending_requests': 1")
    await road.route({"route": [V1], "timeout": "1s", "retries": {"attempts": 0}})
    road.v1.hang()
    # One holds the connection before others come: a request whose connection is not open yet counts as pending.
    async with asyncio.TaskGroup() as calls:
        first = calls.create_task(road.call())
        await road.v1.asked_times(1)
        others = await asyncio.gather(*(road.call() for _ in range(5)))
    assert Counter(response.status for response in [*others, first.result()]) == {504: 2, 503: 4}


async def test_tls_that_nobody_speaks(road: Road) -> None:
    """A rule that demands TLS of a plaintext application fails requests; taken back, they come through again."""
    await road.route({"route": [V1], "timeout": "0.5s", "retries": {"attempts": 0}})
    await road.policy({"tls": {"mode": "SIMPLE", "insecureSkipVerify": True}}, limit_seen="UpstreamTlsContext")
    assert (await road.call()).status == 504
    await road.policy({"loadBalancer": {"simple": "RANDOM"}}, limit_seen="RANDOM")
    assert (await road.call()).body == b"v1"
