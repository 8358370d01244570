"""The HTTP side over a real socket."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files

import pytest

from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, CallerKind, Credentials
from discovery.auth.errors import UnauthenticatedError, UndecidedError
from discovery.debug.server import HttpEndpoint, build_application
from discovery.runtime.http_client import TcpTarget, fetch
from discovery.runtime.http_message import Response
from tests.kit.debug_world import DebugWorld

WEB = "outbound|80||web.shop.svc.cluster.local"


class Gatekeeper:
    """Takes `Bearer <namespace>`."""

    async def authenticate(self, credentials: Credentials) -> Caller:
        namespace = credentials.only("authorization").removeprefix("Bearer ")
        if namespace == "wrong":
            raise UnauthenticatedError("expired")
        if namespace == "unknown":
            raise UndecidedError("nobody to ask")
        return Caller(
            kind=CallerKind.TOKEN,
            identities=(Spiffe(trust_domain="cluster.local", namespace=namespace, service_account="someone"),),
        )


@asynccontextmanager
async def serving(world: DebugWorld) -> AsyncIterator[int]:
    async with HttpEndpoint("http", "127.0.0.1", 0, build_application(world.content)) as endpoint:
        yield endpoint.port


async def get(port: int, path: str, headers: Mapping[str, str] | None = None, *, host: str = "") -> Response:
    target = TcpTarget("127.0.0.1", port, authority=host)
    return await fetch(target, path, headers=tuple((headers or {}).items()), timeout_s=10)


async def test_ready_says_what_it_waits_for() -> None:
    """503 with the reasons while something blocks, 200 then."""
    world = DebugWorld()
    async with serving(world) as port:
        world.content.readiness.block("first revision")
        answer = await get(port, "/ready")
        assert (answer.status, answer.body) == (503, b"first revision\n")
        world.content.readiness.release("first revision")
        assert (await get(port, "/ready")).status == 200


async def test_metrics_and_version() -> None:
    """What scrapers and people ask for."""
    async with serving(DebugWorld()) as port:
        assert (await get(port, "/metrics")).status == 200
        assert (await get(port, "/version")).body.startswith(b"pilot-mesh ")


async def test_answers_are_json_and_pretty_if_wanted() -> None:
    """`?pretty` indents, with or without a value."""
    world = DebugWorld()
    world.connect()
    async with serving(world) as port:
        plain, pretty = await get(port, "/debug/syncz"), await get(port, "/debug/syncz?pretty")
        assert plain.content_type.startswith("application/json")
        assert json.loads(plain.body) == json.loads(pretty.body)
        assert b"\n  " in pretty.body
        assert b"\n" not in plain.body


async def test_a_large_dump_arrives_whole() -> None:
    """Many batches make one document."""
    services = "".join(
        f"---\n{{apiVersion: v1, kind: Service, metadata: {{name: s{n}, namespace: shop}}, "
        f"spec: {{clusterIP: 10.3.0.{n}, ports: [{{name: http, port: 80}}]}}}}\n"
        for n in range(1, 150)
    )
    world = DebugWorld(services)
    world.connect()
    async with serving(world) as port:
        answer = await get(port, "/debug/config_dump?proxyID=web-1")
        assert len(answer.body) > 100_000
        clusters = json.loads(answer.body)["configs"][1]["dynamicActiveClusters"]
        assert len([entry for entry in clusters if entry["cluster"]["name"].startswith("outbound|")]) == 149


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("/debug/config_dump", 400, b"You must provide a proxyID in the query string\n"),
        (
            "/debug/config_dump?proxyID=nobody",
            404,
            b"Proxy not connected to this Pilot instance. It may be connected to another instance.\n",
        ),
        ("/debug/nothing", 404, b"no debug endpoint 'nothing'; /debug/list names them all\n"),
        ("/debug/web/secrets.txt", 404, b"the page has no file 'secrets.txt'\n"),
    ],
)
async def test_errors_are_plain_text(path: str, status: int, text: bytes) -> None:
    """The words are istiod's where it has them."""
    async with serving(DebugWorld()) as port:
        answer = await get(port, path)
        assert (answer.status, answer.body) == (status, text)


@pytest.mark.parametrize(
    ("token", "path", "status"),
    [
        ("", "/debug/syncz", 401),
        ("wrong", "/debug/syncz", 401),
        ("unknown", "/debug/syncz", 503),
        ("istio-system", "/debug/syncz", 200),
    ],
)
async def test_a_foreign_name_needs_a_token(token: str, path: str, status: int) -> None:
    """A browser that was led here by a foreign name is nobody; a token of the mesh's rulers opens everything."""
    world = DebugWorld(gatekeeper=Gatekeeper())
    async with serving(world) as port:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        assert (await get(port, path, headers, host="evil.example")).status == status


async def test_the_page_loads_nothing_from_elsewhere() -> None:
    """Its policy forbids inline code, frames and foreign sources; each file that it names is there."""
    async with serving(DebugWorld()) as port:
        page = await get(port, "/debug")
        policy = dict(page.headers)["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        names = re.findall(rb'(?:src|href)="(/debug/web/[^"]+)"', page.body)
        assert len(names) == 2
        for name in names:
            found = await get(port, name.decode())
            assert found.status == 200
            assert dict(found.headers)["x-content-type-options"] == "nosniff"


def test_the_page_is_static_and_safe() -> None:
    """No foreign address, no inline code, and names of users never become markup."""
    folder = files("discovery.debug").joinpath("web")
    script = folder.joinpath("app.js").read_text(encoding="utf-8")
    page = folder.joinpath("index.html").read_text(encoding="utf-8")
    for text in (script, page, folder.joinpath("style.css").read_text(encoding="utf-8")):
        assert not re.search(r"https?://", text)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function", script)
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page)


def test_the_page_asks_only_for_endpoints_that_exist() -> None:
    """A renamed endpoint breaks this test, not the page."""
    from discovery.debug.handlers import DebugHandlers

    script = files("discovery.debug").joinpath("web", "app.js").read_text(encoding="utf-8")
    asked = set(re.findall(r'ask\("(\w+)"', script))
    assert asked >= {"syncz", "registryz", "push_status", "explain", "resources"}
    assert asked <= set(DebugHandlers(DebugWorld().content).names)


async def test_a_taken_port_is_an_error_at_once() -> None:
    """Before anything serves."""
    application = build_application(DebugWorld().content)
    async with HttpEndpoint("http", "127.0.0.1", 0, application) as first:
        second = HttpEndpoint("http", "127.0.0.1", first.port, build_application(DebugWorld().content))
        with pytest.raises(OSError, match="in use"):
            async with second:
                pass


async def test_one_bad_request_stops_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """500 without a word of what broke; the next question is answered."""
    world = DebugWorld()
    monkeypatch.setattr(type(world.connections), "failures", lambda self: 1 / 0)
    async with serving(world) as port:
        broken = await get(port, "/debug/push_status")
        assert (broken.status, broken.body) == (500, b"internal error; the log says more\n")
        assert (await get(port, "/debug/syncz")).status == 200
