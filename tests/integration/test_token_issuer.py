"""JWT_RULE with the whole control plane: tokens of an OpenID Connect provider over gRPC, its keys over HTTPS."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import grpc.aio
import pytest
import structlog

from certs.csr import build_csr
from certs.describe import describe
from certs.pem import load_certificates
from discovery.app import run_discovery
from discovery.auth.dev_issuer import DevIssuer
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.logs import configure_logging
from discovery.settings import FLAGS, load_settings
from discovery.wire.istio_ca import SERVICE, CertificateRequest, decode_response, encode_request
from tests.kit.certs import key, spiffe
from tests.kit.eventually import eventually
from tests.kit.free_ports import free_port
from tests.kit.token_issuer import SigningKey, TokenIssuer


class Plane:
    """A running control plane, seen from outside."""

    def __init__(self, grpc_port: int, http_port: int, dev: DevIssuer) -> None:
        self._grpc = f"127.0.0.1:{grpc_port}"
        self._http = TcpTarget("127.0.0.1", http_port)
        self.dev = dev

    async def certify(self, token: str) -> str:
        """Whose certificate the bearer gets, or the status that it is refused with."""
        request = encode_request(CertificateRequest(csr=build_csr(key(), spiffe("other", "somebody")).decode()))
        async with grpc.aio.insecure_channel(self._grpc) as channel:
            call = channel.unary_unary(f"/{SERVICE}/CreateCertificate", None, None)
            try:
                chain = decode_response(await call(request, metadata=(("authorization", f"Bearer {token}"),)))
            except grpc.aio.AioRpcError as refused:
                return refused.code().name
        return describe(load_certificates(chain[0].encode(), where="leaf")[0]).names[0]

    async def fetches(self, outcome: str) -> int:
        """How often keys were fetched, or not."""
        body = (await fetch(self._http, "/metrics", timeout_s=5)).body.decode()
        name = f"pilot_jwks_resolver_network_fetch_{outcome}_total "
        return next(int(float(line.removeprefix(name))) for line in body.splitlines() if line.startswith(name))

    async def ready(self) -> bool:
        """Whether it serves."""
        try:
            return (await fetch(self._http, "/ready", timeout_s=5)).status == 200
        except HttpClientError:
            return False


@asynccontextmanager
async def control_plane(folder: Path, rule: Mapping[str, object], roots: str) -> AsyncIterator[Plane]:
    """One with that rule and a development issuer besides, that trusts these roots; ended by SIGTERM."""
    (folder / "config").mkdir()
    (folder / "extra.pem").write_text(roots, encoding="ascii")
    grpc_port, http_port = free_port(), free_port()
    flags = {
        "configDir": str(folder / "config"),
        "meshConfig": str(folder / "mesh"),
        "grpcAddr": f"127.0.0.1:{grpc_port}",
        "secureGRPCAddr": "",
        "httpAddr": "",
        "monitoringAddr": f"127.0.0.1:{http_port}",
        "devTokenDir": str(folder / "tokens"),
    }
    environ = {"JWT_RULE": json.dumps(rule), "PILOT_JWKS_EXTRA_ROOTS": str(folder / "extra.pem")}
    settings = load_settings({flag.field: flag.default for flag in FLAGS} | flags, environ)
    plane = Plane(grpc_port, http_port, DevIssuer.open(folder / "tokens"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(run_discovery(settings))
        await eventually(plane.ready, within_s=20)
        yield plane
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await running == 0


@pytest.mark.parametrize("told", [True, False], ids=["jwks_uri", "discovery"])
async def test_a_provider_s_token_is_a_certificate(tmp_path: Path, told: bool) -> None:
    """Of the service account in it; tokens of others, for others, or out of date are nobody's."""
    signing = SigningKey("one")
    async with TokenIssuer(signing) as issuer:
        rule = {"issuer": issuer.url, "audiences": ["istio-ca"], **({"jwks_uri": f"{issuer.url}/keys"} if told else {})}
        async with control_plane(tmp_path, rule, issuer.extra_roots) as plane:
            await eventually(lambda: issuer.asked["/keys"] == 1)
            now = datetime.now(UTC)
            good = signing.token(issuer.url, now=now)

            async def certified() -> bool:
                return await plane.certify(good) == str(spiffe("shop", "web"))

            await eventually(certified)
            assert await plane.fetches("success") == 1
            wrong = (
                signing.token(issuer.url, now=now, aud=["others"]),
                signing.token(issuer.url + "/", now=now),
                signing.token(issuer.url, now=now, exp=now.timestamp() - 1),
                signing.token(issuer.url, now=now, sub="shop/web"),
                SigningKey("forged").token(issuer.url, now=now, key_id="one"),
            )
            for token in wrong:
                assert await plane.certify(token) == "UNAUTHENTICATED"
            assert issuer.asked["/keys"] == 1


async def test_keys_that_change_while_it_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new key counts as soon as a token names it; invented ones are neither taken nor asked for again and again."""
    monkeypatch.setattr("discovery.auth.issuer_keys._REST_AFTER_SUCCESS_S", 1.0)  # instead of 10, for the test's sake
    old, new = SigningKey("old"), SigningKey("new")
    async with TokenIssuer(old) as issuer:
        rule = {"issuer": issuer.url, "audiences": ["istio-ca"], "jwks_uri": f"{issuer.url}/keys"}
        async with control_plane(tmp_path, rule, issuer.extra_roots) as plane:
            await eventually(lambda: issuer.asked["/keys"] == 1)
            issuer.keys = [new]
            rotated = new.token(issuer.url, now=datetime.now(UTC))

            async def taken_up() -> bool:
                return await plane.certify(rotated) == str(spiffe("shop", "web"))

            await eventually(taken_up, within_s=20)
            assert issuer.asked["/keys"] == 2
            now = datetime.now(UTC)
            flood = [old.token(issuer.url, now=now, key_id=f"invented-{number}") for number in range(300)]
            assert {await plane.certify(token) for token in flood} <= {"UNAUTHENTICATED", "UNAVAILABLE"}
            assert await plane.certify(old.token(issuer.url, now=now)) in {"UNAUTHENTICATED", "UNAVAILABLE"}
            took_s = (datetime.now(UTC) - now).total_seconds()
            assert issuer.asked["/keys"] <= 2 + took_s + 1, "one question a second, however many tokens"
            assert await taken_up()


async def test_a_provider_that_is_down_or_talks_nonsense(tmp_path: Path) -> None:
    """No start waits for it; its tokens are to come again, those of others count; the log says what is wrong."""
    signing = SigningKey("one")
    async with TokenIssuer(signing) as issuer:
        issuer.answers["/keys"] = issuer.silent
        rule = {"issuer": issuer.url, "audiences": ["istio-ca"], "jwks_uri": f"{issuer.url}/keys"}
        now = datetime.now(UTC)
        async with control_plane(tmp_path, rule, issuer.extra_roots) as plane:
            assert await plane.certify(signing.token(issuer.url, now=now)) == "UNAVAILABLE"
            others = plane.dev.issue("shop", "dev", now=now)
            assert await plane.certify(others) == str(spiffe("shop", "dev"))
            configure_logging()
            with structlog.testing.capture_logs() as logs:
                await issuer.close()  # cuts off the fetch
                await eventually(lambda: any("issuer not fetched" in entry["event"] for entry in logs))
            told = next(entry for entry in logs if "issuer not fetched" in entry["event"])
            assert f"{issuer.url}/keys" in told["reason"]
            assert await plane.fetches("fail") == 1
            assert await plane.certify(signing.token(issuer.url, now=now)) == "UNAVAILABLE"
            assert await plane.certify(others) == str(spiffe("shop", "dev"))


async def test_keys_in_the_rule_need_no_provider(tmp_path: Path) -> None:
    """Nothing is fetched."""
    signing = SigningKey("one")
    rule = {"issuer": "offline", "audiences": ["istio-ca"], "jwks": {"keys": [signing.jwk()]}}
    async with control_plane(tmp_path, rule, "") as plane:
        token = signing.token("offline", now=datetime.now(UTC))
        assert await plane.certify(token) == str(spiffe("shop", "web"))
        assert await plane.fetches("success") + await plane.fetches("fail") == 0
