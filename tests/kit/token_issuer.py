"""An OpenID Connect provider for tests: HTTPS on loopback; keys and answers that tests change, counts of questions."""

from __future__ import annotations

import asyncio
import ssl
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from certs.ca import LeafRequest, create_root, new_serial, sign_leaf
from certs.keys import generate_key
from certs.tls import KeyPair
from discovery.auth.jwks import encode_base64url
from discovery.runtime.clock import SystemClock
from tests.kit.certs import key
from tests.kit.kube_api.pki import load_pair

__all__ = ["Answer", "SigningKey", "TokenIssuer", "redirect", "text"]

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class SigningKey:
    """An ES256 key of a provider."""

    def __init__(self, key_id: str) -> None:
        made = key(f"issuer {key_id}")
        assert isinstance(made, ec.EllipticCurvePrivateKey)
        self.key_id = key_id
        self._key = made

    def jwk(self) -> dict[str, str]:
        """Its public part as the provider publishes it."""
        numbers = self._key.public_key().public_numbers()
        x, y = (encode_base64url(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "use": "sig", "kid": self.key_id, "x": x, "y": y}

    def token(self, issuer: str, *, now: datetime, key_id: str | None = None, **claims: object) -> str:
        """A token for an hour, of the service account `web` in `shop`, for `istio-ca`, unless claims say otherwise."""
        header = {"alg": "ES256", "kid": self.key_id if key_id is None else key_id}
        said = {
            "iss": issuer,
            "sub": "system:serviceaccount:shop:web",
            "aud": ["istio-ca"],
            "exp": (now + timedelta(hours=1)).timestamp(),
            **claims,
        }
        body = ".".join(encode_base64url(msgspec.json.encode(part)) for part in (header, said))
        r, s = decode_dss_signature(self._key.sign(body.encode(), ec.ECDSA(SHA256())))
        return f"{body}.{encode_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def text(body: str | bytes, *, status: int = 200, **headers: str) -> Answer:
    """Answer with this, whatever is asked."""

    async def answer(_: web.Request) -> web.StreamResponse:
        data = body.encode() if isinstance(body, str) else body
        return web.Response(body=data, status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})

    return answer


def redirect(target: str) -> Answer:
    """Send the caller elsewhere."""
    return text("", status=302, Location=target)


class TokenIssuer:
    """Serves while the context is open: its description, and its keys at `/keys`.

    Attributes:
        keys: those published; may be changed at any time.
        answers: instead of the usual answer of a path.
        asked: how often, by path.
        extra_roots: PEM of the root that its certificate leads to.
    """

    def __init__(self, *keys: SigningKey, tls: bool = True) -> None:
        self.keys = list(keys)
        self.answers: dict[str, Answer] = {}
        self.asked: Counter[str] = Counter()
        now = SystemClock().now()
        root = create_root(generate_key(), trust_domain="issuer", now=now, serial=new_serial())
        own = generate_key()
        names = LeafRequest(
            public_key=own.public_key(), dns_names=("localhost",), ip_addresses=("127.0.0.1",), lifetime=timedelta(1)
        )
        self._pair = KeyPair((sign_leaf(root, names, now=now, serial=new_serial()),), own)
        self.extra_roots = root.certificate_pem().decode()
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.url = ""
        self.unblocked = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self.open(0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self, port: int) -> None:
        """Serve at a port; 0: any."""
        application = web.Application()
        application.router.add_get("/{path:.*}", self._handle)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        load_pair(context, self._pair)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(
            self._runner, "127.0.0.1", port, ssl_context=context if self._tls else None, reuse_address=True
        )
        await site.start()
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self._runner.addresses[0][1]}"

    async def close(self) -> None:
        """Be gone; `open` with the former port to be back."""
        self.unblocked.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def port(self) -> int:
        """Where it serves."""
        return int(self.url.rpartition(":")[2])

    async def silent(self, _: web.Request) -> web.StreamResponse:
        """An answer that takes until the server ends."""
        await self.unblocked.wait()
        return web.Response()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] += 1
        if request.path in self.answers:
            return await self.answers[request.path](request)
        documents: dict[str, Any] = {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [one.jwk() for one in self.keys]},
        }
        if request.path not in documents:
            return web.Response(status=404)
        return web.json_response(documents[request.path])
