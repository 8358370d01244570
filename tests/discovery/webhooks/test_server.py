"""The HTTPS server of the webhooks, by a real client."""

from __future__ import annotations

import asyncio
import io
import json
import ssl
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from discovery.runtime.clock import SystemClock
from discovery.webhooks.metrics import WebhookMetrics
from discovery.webhooks.server import MAX_BODY_BYTES, WebhookContent, WebhookServer, build_webhooks
from discovery.webhooks.tls import ServingTls
from tests.discovery.webhooks.test_injecting import POD, injector
from tests.kit.fake_clock import FakeClock
from tests.kit.webhooks import WebhookCa

NAME = "istiod.istio-system.svc"


class Client:
    """Asks the server as an API server does."""

    def __init__(self, server: WebhookServer, roots: str, metrics: WebhookMetrics) -> None:
        self.url = f"https://127.0.0.1:{server.port}"
        self.metrics = metrics
        self.ssl = ssl.create_default_context(cadata=roots)
        self.session = aiohttp.ClientSession()

    async def post(self, path: str, body: bytes, content_type: str = "application/json") -> tuple[int, str]:
        """Status and text of an answer."""
        headers = {"content-type": content_type}
        async with self.session.post(
            self.url + path, data=io.BytesIO(body), headers=headers, ssl=self.ssl, server_hostname=NAME
        ) as answer:
            return answer.status, await answer.text()

    async def review(self, path: str, **request: Any) -> dict[str, Any]:
        """The response of a review."""
        document = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": {"uid": "u", **request}}
        status, text = await self.post(path, json.dumps(document).encode())
        assert status == 200, text
        response: dict[str, Any] = json.loads(text)["response"]
        return response


PROBLEMS: list[str] = []


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    """A server with the built-in templates."""
    PROBLEMS.clear()
    ca, metrics = WebhookCa(), WebhookMetrics(CollectorRegistry())
    content = WebhookContent(injector(), metrics, SystemClock(), lambda: tuple(PROBLEMS))
    server = WebhookServer(
        "127.0.0.1", 0, build_webhooks(content), ServingTls(ca.certificate), SystemClock(), renew_s=3600, header_s=0.2
    )
    async with server:
        found = Client(server, ca.roots_pem, metrics)
        async with found.session:
            yield found


POD_KIND = {"group": "", "version": "v1", "kind": "Pod"}
RULE_KIND = {"group": "networking.istio.io", "version": "v1", "kind": "VirtualService"}


async def test_injection(client: Client) -> None:
    """Answered with a patch, on every path below; counted and timed."""
    for path in ("/inject", "/inject/cluster/remote"):
        response = await client.review(path, kind=POD_KIND, operation="CREATE", namespace="shop", object=POD)
        assert response["allowed"] is True
        assert response["patchType"] == "JSONPatch"
    left = await client.review("/inject", kind=POD_KIND, operation="CREATE", namespace="kube-system", object=POD)
    assert "patch" not in left
    assert client.metrics.requests.count() == 3
    assert client.metrics.successes.count() == 2
    assert client.metrics.skipped.count() == 1
    assert client.metrics.seconds.count() == 3


async def test_a_pod_that_cannot_be_injected(client: Client) -> None:
    """Is refused with the reason."""
    pod = {**POD, "metadata": {"annotations": {"sidecar.istio.io/proxyCPU": "much"}}}
    response = await client.review("/inject", kind=POD_KIND, operation="CREATE", namespace="shop", object=pod)
    assert response["allowed"] is False
    assert "proxyCPU" in response["status"]["message"]
    assert client.metrics.failures.count() == 1


async def test_validation(client: Client) -> None:
    """Good objects pass, bad ones are refused with what is wrong."""
    document = {"apiVersion": "networking.istio.io/v1", "kind": "VirtualService", "metadata": {"name": "x"}}
    good = {**document, "spec": {"hosts": ["a"], "http": [{"route": [{"destination": {"host": "a"}}]}]}}
    bad = {**document, "spec": {"hosts": ["a"]}}
    assert (await client.review("/validate", kind=RULE_KIND, operation="CREATE", object=good))["allowed"] is True
    refused = await client.review("/validate/x", kind=RULE_KIND, operation="UPDATE", object=bad)
    assert refused["allowed"] is False
    assert refused["status"]["message"].startswith("configuration is invalid: ")


@pytest.mark.parametrize("path", ["/inject", "/validate"])
@pytest.mark.parametrize(
    ("body", "content_type", "status", "problem"),
    [
        (b"{}", "text/plain", 415, "want application/json"),
        (b"", "application/json", 400, "no body found"),
        (b"{", "application/json", 400, "want an AdmissionReview"),
        (b"x" * (MAX_BODY_BYTES + 1), "application/json", 413, "more than 6291456 bytes"),
    ],
)
async def test_what_is_no_review(
    client: Client, path: str, body: bytes, content_type: str, status: int, problem: str
) -> None:
    """Is told by status and text."""
    found, text = await client.post(path, body, content_type)
    assert (found, problem in text) == (status, True)
    counted = client.metrics.failures.count() if path == "/inject" else client.metrics.http_errors.count(str(status))
    assert counted == 1


async def test_readiness(client: Client) -> None:
    """With what stands against it."""
    async with client.session.get(f"{client.url}/ready", ssl=client.ssl, server_hostname=NAME) as answer:
        assert answer.status == 200
    PROBLEMS.append("no configuration")
    async with client.session.get(f"{client.url}/ready", ssl=client.ssl, server_hostname=NAME) as answer:
        assert (answer.status, await answer.text()) == (503, "no configuration\n")


@pytest.mark.parametrize("sent", [b"", b"POST /inject HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_sends_no_request_is_closed(client: Client, sent: bytes) -> None:
    """After the time for the head, however it drips."""
    port = int(client.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client.ssl, server_hostname=NAME)
    writer.write(sent)
    async with asyncio.timeout(5):
        assert await reader.read() == b""
    writer.close()


async def test_old_tls_is_refused(client: Client) -> None:
    """1.2 at least."""
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    port = int(client.url.rpartition(":")[2])
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection("127.0.0.1", port, ssl=old)


async def test_renewal_that_fails_keeps_the_present_certificate() -> None:
    """And is tried again."""
    ca, clock = WebhookCa(), FakeClock()
    tls = ServingTls(ca.certificate)
    metrics = WebhookMetrics(CollectorRegistry())
    content = WebhookContent(injector(), metrics, clock, tuple)
    async with WebhookServer("127.0.0.1", 0, build_webhooks(content), tls, clock, renew_s=3600) as server:
        ca.broken = True
        server.renew()
        ca.broken = False
        server.renew()
        client = Client(server, ca.roots_pem, metrics)
        async with client.session:
            assert (await client.post("/inject", b""))[0] == 400
