"""HTTP probes as kubelet would have asked them."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agent.status.probe_http import (
    MAX_BODY_BYTES,
    HttpProber,
    ProbeFailedError,
    Target,
    choose_host,
    follow,
    forwarded_headers,
)
from discovery.runtime.http import Request, Response
from tests.kit.free_ports import free_port
from tests.kit.live_envoy import live_envoy
from tests.kit.mesh_ca import MeshCa
from tests.kit.tcp_server import scripted_server

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


def target(port: int, *, path: str = "/", tls: bool = False) -> Target:
    return Target(tls=tls, host="127.0.0.1", port=port, path=path, authority=f"pod:{port}")


async def test_the_application_is_asked_from_the_mesh_address() -> None:
    """GET, kubelet's headers, one connection each; capture rules let 127.0.0.6 pass."""
    async with scripted_server(lambda _: OK) as server:
        prober = HttpProber()
        for _ in range(2):
            answer = await prober.ask(target(server.port, path="/ready?x=1"), (("x-token", "t"),))
    assert (answer.status, answer.body) == (200, b"ok")
    assert server.heads[0].startswith(f"GET /ready?x=1 HTTP/1.1\r\nhost: pod:{server.port}\r\nconnection: close\r\n")
    assert "x-token: t\r\n" in server.heads[0]
    assert [host for host, _ in server.peers] == ["127.0.0.6"] * 2


async def test_keep_alive_uses_a_connection_again() -> None:
    """And a new one once the application has closed it."""
    answers = [OK, OK, None, OK]
    async with scripted_server(lambda _: answers.pop(0)) as server:
        prober = HttpProber(keep_alive=True)
        for _ in range(3):
            assert (await prober.ask(target(server.port), ())).status == 200
        assert len(server.peers) == 2
        assert "connection" not in server.heads[0]
        prober.close()


async def test_an_answer_that_a_script_prints() -> None:
    """Lines that end in LF alone are no fault of its health: kubelet takes them."""
    async with scripted_server(lambda _: b"HTTP/1.1 200 OK\ncontent-length: 2\n\nok") as server:
        assert (await HttpProber().ask(target(server.port), ())).body == b"ok"


def redirect(location: str) -> bytes:
    return f"HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()


async def test_redirects_to_itself_are_followed() -> None:
    """To another path; the answer there counts."""
    failed = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
    async with scripted_server(lambda head: failed if "GET /there" in head else redirect("/there")) as server:
        assert (await HttpProber().ask(target(server.port), ())).status == 503


async def test_redirects_elsewhere_are_success() -> None:
    """Somebody else's health is not this one's."""
    async with scripted_server(lambda _: redirect("http://elsewhere.example/")) as server:
        assert (await HttpProber().ask(target(server.port), ())).status == 200
        assert len(server.heads) == 1


async def test_a_redirect_to_nowhere_is_an_answer() -> None:
    """Without Location there is nothing to follow: kubelet takes the status as it is, and so is it told to it."""
    async with scripted_server(lambda _: b"HTTP/1.1 302 Found\r\ncontent-length: 0\r\n\r\n") as server:
        assert (await HttpProber().ask(target(server.port), ())).status == 200
        assert len(server.heads) == 1


async def test_redirects_end() -> None:
    """A loop is a failure, after ten."""
    async with scripted_server(lambda _: redirect("/again")) as server:
        with pytest.raises(ProbeFailedError, match="10 redirects"):
            await HttpProber().ask(target(server.port), ())
        assert len(server.heads) == 10


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("/b", ("http", 80, "/b", "pod:80")),
        ("c?d=e", ("http", 80, "/x/c?d=e", "pod:80")),
        ("https://10.0.0.1/z", ("https", 443, "/z", "10.0.0.1")),
        ("http://10.0.0.1:81", ("http", 81, "/", "10.0.0.1:81")),
        ("http://other/", None),
        ("ftp://10.0.0.1/", None),
        ("http://10.0.0.1:bad/", None),
    ],
)
def test_where_a_redirect_leads(location: str, expected: tuple[str, int, str, str] | None) -> None:
    """Relative ones keep the Host header, absolute ones bring theirs; other hosts are not asked."""
    found = follow(Target(tls=False, host="10.0.0.1", port=80, path="/x/y", authority="pod:80"), location)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert ("https" if found.tls else "http", found.port, found.path, found.authority) == expected


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, "closed without an answer"),
        (b"what?\r\n\r\n", "bad answer"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx", ""),
    ],
)
async def test_no_answer_is_a_failure(answer: bytes | None, words: str) -> None:
    """Cut, malformed or missing."""
    said = [answer]
    async with scripted_server(lambda _: said.pop() if said else None) as server:
        if words:
            with pytest.raises(ProbeFailedError, match=words):
                await HttpProber().ask(target(server.port), ())
    with pytest.raises(ProbeFailedError, match=r"failed|refused"):
        await HttpProber().ask(target(server.port), ())


@pytest.mark.parametrize("chunked", [False, True])
async def test_long_bodies_are_cut(chunked: bool) -> None:
    """Kubelet reads 10 KiB; a body of unknown length that is longer is left out, its status counts."""
    body = b"x" * (MAX_BODY_BYTES + 1)
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(body)
    sent = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    async with scripted_server(lambda _: b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n\r\n" + sent) as server:
        answer = await HttpProber(keep_alive=True).ask(target(server.port), ())
    assert (answer.status, len(answer.body)) == (200, 0 if chunked else MAX_BODY_BYTES)


def tls_context(directory: Path) -> ssl.SSLContext:
    MeshCa(datetime.now(UTC)).pair().write(directory)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "cert-chain.pem", directory / "key.pem")
    return context


async def test_https_verifies_nothing(tmp_path: Path) -> None:
    """Any certificate will do, as it does for kubelet."""
    async with scripted_server(lambda _: OK, tls=tls_context(tmp_path)) as server:
        answer = await HttpProber().ask(target(server.port, tls=True), ())
    assert (answer.status, answer.body) == (200, b"ok")


def _server(directory: Path, port: int, protocols: list[str]) -> dict[str, Any]:
    """An application on Envoy, behind TLS; it answers what it was asked."""
    MeshCa(datetime.now(UTC)).pair().write(directory)
    certificate = {"certificate_chain": "cert-chain.pem", "private_key": "key.pem"}
    files = {name: {"filename": str(directory / file)} for name, file in certificate.items()}
    extensions = "type.googleapis.com/envoy.extensions"
    said = {"text_format_source": {"inline_string": "%PROTOCOL% %REQ(:AUTHORITY)% %REQ(x-token)%"}}
    only_gone = {
        "status_code_filter": {"comparison": {"op": "EQ", "value": {"default_value": 410, "runtime_key": "x"}}}
    }
    routes = [
        {"match": {"path": "/gone"}, "direct_response": {"status": 410}},
        {"match": {"path": "/there"}, "redirect": {"path_redirect": "/here"}},
        {"match": {"path": "/elsewhere"}, "redirect": {"host_redirect": "other.example"}},
        {"match": {"path": "/large"}, "direct_response": {"status": 200, "body": {"inline_string": "x" * 100_000}}},
        {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": {"inline_string": "x"}}},
    ]
    manager = {
        "@type": f"{extensions}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "app",
        "local_reply_config": {"mappers": [{"filter": only_gone, "body_format_override": said}]},
        "route_config": {
            "virtual_hosts": [{"name": "app", "domains": ["*"], "routes": routes}],
            "max_direct_response_body_size_bytes": 200_000,
        },
        "http_filters": [{"name": "r", "typed_config": {"@type": f"{extensions}.filters.http.router.v3.Router"}}],
    }
    tls = {"tls_certificates": [files], "alpn_protocols": protocols}
    context = {"@type": f"{extensions}.transport_sockets.tls.v3.DownstreamTlsContext", "common_tls_context": tls}
    chain = {
        "transport_socket": {"name": "tls", "typed_config": context},
        "filters": [{"name": "hcm", "typed_config": manager}],
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return {"static_resources": {"listeners": [{"name": "app", "address": address, "filter_chains": [chain]}]}}


@pytest.mark.envoy
@pytest.mark.parametrize(("http2", "spoken"), [(True, "HTTP/2"), (False, "HTTP/1.1")])
async def test_https_offers_http2(tmp_path: Path, *, http2: bool, spoken: str) -> None:
    """Headers, status, redirects and bodies as over HTTP/1.1, at a real server."""
    port = free_port()
    with live_envoy(tmp_path, _server(tmp_path, port, ["h2", "http/1.1"])):
        prober = HttpProber(http2=http2)

        async def ask(path: str) -> Response:
            return await prober.ask(target(port, path=path, tls=True), (("x-token", "t"), ("te", "trailers")))

        assert (await ask("/")).status == 200
        gone = await ask("/gone")
        assert (gone.status, gone.body) == (410, f"{spoken} pod:{port} t".encode())
        assert gone.content_type == "text/plain"
        own = msgspec.structs.replace(target(port, path="/there", tls=True), authority=f"127.0.0.1:{port}")
        assert (await prober.ask(own, ())).body == b"x"
        assert (await ask("/elsewhere")).status == 200
        assert len((await ask("/large")).body) == MAX_BODY_BYTES


@pytest.mark.envoy
async def test_an_application_that_speaks_only_http2(tmp_path: Path) -> None:
    """It is asked; without the offer it cannot be."""
    port = free_port()
    document = _server(tmp_path, port, ["h2"])
    chain = document["static_resources"]["listeners"][0]["filter_chains"][0]
    chain["filters"][0]["typed_config"]["codec_type"] = "HTTP2"
    with live_envoy(tmp_path, document):
        assert (await HttpProber().ask(target(port, tls=True), ())).status == 200
        with pytest.raises(ProbeFailedError):
            await HttpProber(http2=False).ask(target(port, tls=True), ())


@pytest.mark.parametrize(
    ("asked", "host"),
    [
        ("10.0.0.1:15020", "10.0.0.1:8080"),
        ("[fd00::1]:15020", "[fd00::1]:8080"),
        ("web.example", "web.example"),
        ("", ""),
    ],
)
def test_host_header(asked: str, host: str) -> None:
    """Our port becomes the application's; a name that the pod asks for stays."""
    assert choose_host(asked, status_port=15020, port=8080) == host


def test_headers_of_kubelet_are_passed_on() -> None:
    """All but those that speak of its own connection."""
    headers = (("host", "x"), ("user-agent", "kube-probe/1.33"), ("connection", "close"), ("accept", "*/*"))
    request = Request(method="GET", path="/", headers=headers)
    assert forwarded_headers(request) == (("user-agent", "kube-probe/1.33"), ("accept", "*/*"))
