"""An admission webhook for tests: TLS on loopback, decides by a function, remembers what it was asked."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from certs.ca import LeafRequest, create_root, new_serial, sign_leaf
from certs.keys import generate_key
from certs.tls import KeyPair
from discovery.runtime.clock import SystemClock
from tests.kit.kube_api.objects import Json
from tests.kit.kube_api.pki import load_pair

__all__ = ["Decide", "WebhookServer", "allow", "deny", "patch"]

Decide = Callable[[Json], Json]
"""From the `request` of a review to its `response`, without the uid."""


def allow(_: Json) -> Json:
    """Let everything pass."""
    return {"allowed": True}


def deny(message: str, code: int = 403) -> Decide:
    """Let nothing pass."""
    return lambda _: {"allowed": False, "status": {"message": message, "code": code}}


def patch(*operations: Json) -> Decide:
    """Let everything pass, changed by a JSON patch."""
    encoded = base64.b64encode(msgspec.json.encode(operations)).decode()
    return lambda _: {"allowed": True, "patchType": "JSONPatch", "patch": encoded}


class WebhookServer:
    """Serves while the context is open.

    Attributes:
        requests: the `request` of each review, oldest first.
        decide: may be replaced at any time.
    """

    def __init__(self, decide: Decide = allow, dns_names: Sequence[str] = ("localhost",)) -> None:
        self.decide = decide
        self.requests: list[Json] = []
        now = SystemClock().now()
        ca = create_root(generate_key(), trust_domain="webhook", now=now, serial=new_serial())
        key = generate_key()
        names = LeafRequest(
            public_key=key.public_key(),
            dns_names=tuple(dns_names),
            ip_addresses=("127.0.0.1",),
            lifetime=timedelta(days=1),
        )
        self._pair = KeyPair((sign_leaf(ca, names, now=now, serial=new_serial()),), key)
        self.ca_bundle = base64.b64encode(ca.certificate_pem()).decode()
        self._runner: web.AppRunner | None = None
        self.address = ""

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.router.add_post("/{path:.*}", self._handle)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=_context(self._pair)).start()
        self.address = f"127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    def configuration(self, name: str, *, mutating: bool, namespace: str, **hook: Any) -> Json:
        """A configuration that calls this server for ConfigMaps of one namespace, unless said otherwise."""
        rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["configmaps"]}
        webhook = {
            "name": f"{name}.example.org",
            "clientConfig": {"url": f"https://{self.address}/admit", "caBundle": self.ca_bundle},
            "rules": [rule],
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "sideEffects": "None",
            "admissionReviewVersions": ["v1"],
            **hook,
        }
        return {
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration" if mutating else "ValidatingWebhookConfiguration",
            "metadata": {"name": name},
            "webhooks": [webhook],
        }

    async def _handle(self, request: web.Request) -> web.Response:
        review = msgspec.json.decode(await request.read(), type=dict[str, Any])
        self.requests.append(review["request"])
        response = {"uid": review["request"]["uid"], **self.decide(review["request"])}
        answer = {"kind": review["kind"], "apiVersion": review["apiVersion"], "response": response}
        return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def _context(pair: KeyPair) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    load_pair(context, pair)
    return context
