"""The example's application over real sockets, without a mesh."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from examples.apps.bookinfo import Application, Options, caller_of, parse_options

CLIENT = "spiffe://cluster.local/ns/bookinfo/sa/client"


@contextmanager
def _running(options: Options) -> Iterator[Application]:
    with Application(options) as application:
        thread = threading.Thread(target=application.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield application
        finally:
            application.shutdown()
            thread.join()


def _ask(application: Application, headers: Mapping[str, str] | None = None) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", application.server_port, timeout=5)
    try:
        connection.request("GET", "/", headers=dict(headers or {}))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("header", "caller"),
    [
        ("", ""),
        (f"By=spiffe://x;Hash=ab;Subject=\"\";URI={CLIENT}", CLIENT),
        (f"URI=spiffe://forged/by/client,By=spiffe://x;Hash=ab;URI={CLIENT}", CLIENT),
        ("By=spiffe://x;Hash=ab;Subject=\"CN=no,URI\"", ""),
    ],
)  # fmt: skip
def test_the_caller_is_whom_our_own_sidecar_names(header: str, caller: str) -> None:
    """The last element counts: those before it came from outside."""
    assert caller_of(header) == caller


def test_an_answer_says_who_and_by_whom() -> None:
    """Name, version and the caller's identity; no calls where none were asked for."""
    with _running(Options("details", "v1")) as details:
        answer = _ask(details, {"X-Forwarded-Client-Cert": f"By=x;URI={CLIENT}"})
    assert answer == (200, {"name": "details", "version": "v1", "caller": CLIENT, "calls": []})


def test_calls_go_through_one_address_with_the_service_as_host() -> None:
    """All services are reached through the sidecar; the answers nest, and who asks is passed on."""
    seen: list[tuple[str, str]] = []

    class Sidecar(Application):
        def answer(self, headers: Any) -> tuple[int, dict[str, Any]]:
            seen.append((headers["host"], headers["end-user"]))
            return 200, {"name": headers["host"].split(":")[0], "calls": []}

    sidecar = Sidecar(Options("sidecar"))
    with sidecar:
        thread = threading.Thread(target=sidecar.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        through = ("127.0.0.1", sidecar.server_port)
        options = Options("productpage", through=through, calls=("details:9080", "reviews:9080"))
        with _running(options) as productpage:
            status, body = _ask(productpage, {"end-user": "jason"})
        sidecar.shutdown()
        thread.join()
    assert status == 200
    assert [call["name"] for call in body["calls"]] == ["details", "reviews"]
    assert sorted(seen) == [("details:9080", "jason"), ("reviews:9080", "jason")]


def test_a_service_that_does_not_answer_is_told() -> None:
    """The answer is 502 and says which service, so that a test sees a hole in the mesh."""
    with _running(Options("gone")) as gone:
        port = gone.server_port
    with _running(Options("productpage", through=("127.0.0.1", port), calls=("reviews:9080",))) as productpage:
        status, body = _ask(productpage)
    assert status == 502
    assert body["calls"][0]["name"] == "reviews:9080"
    assert "refused" in body["calls"][0]["error"]


def test_the_command_line() -> None:
    """Addresses are host:port; calls keep their order."""
    text = "--name reviews --version v2 --listen 127.0.0.9:8080 --through 127.0.0.9:9080 --call a:1 --call b:2"
    options = parse_options(text.split())
    assert options == Options("reviews", "v2", ("127.0.0.9", 8080), ("127.0.0.9", 9080), ("a:1", "b:2"))
