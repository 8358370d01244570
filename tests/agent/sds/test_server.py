"""SDS as Envoy speaks it, over a real socket: the fourteen situations that Istio's agent is known by."""

from __future__ import annotations

import asyncio
import itertools
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import grpc
import grpc.aio
import pytest

from agent.sds.errors import SecretError
from agent.sds.metrics import SecretMetrics
from agent.sds.names import SecretSource, Workload, WorkloadRoots
from agent.sds.resources import KeyCertificate, KeyProvider, Roots, SecretValue
from agent.sds.secrets import SecretOptions, Secrets
from agent.sds.server import SdsServer, SdsServerOptions
from discovery.runtime.clock import SystemClock
from discovery.runtime.supervise import run_all
from discovery.wire import type_urls
from discovery.wire.envoy import DiscoveryRequest, Secret
from tests.kit.fake_envoy import SDS, DownstreamClient
from tests.kit.inline_x509 import inline_x509

NODE = "sidecar~127.0.0.1~pod.ns~ns.svc.cluster.local"


class ScriptedSecrets(Secrets):
    """The owner with values the test sets instead of a CA; one that is missing fails."""

    def __init__(self) -> None:
        super().__init__(SecretOptions(), signer=None, x509=inline_x509(), clock=SystemClock(), metrics=SecretMetrics())
        self.values: dict[SecretSource, SecretValue] = {
            Workload(): KeyCertificate(chain=b"chain", key=b"key"),
            WorkloadRoots(): Roots(pem=b"roots"),
        }
        self.gets = 0

    async def get(self, source: SecretSource) -> SecretValue:
        self.gets += 1
        if source not in self.values:
            raise SecretError("none")
        return self.values[source]

    def change(self, source: SecretSource, value: SecretValue | None) -> None:
        """Replace or remove a value, and announce it."""
        if value is None:
            del self.values[source]
        else:
            self.values[source] = value
        self._announce(source)


class Bench:
    def __init__(self, socket: Path, secrets: ScriptedSecrets) -> None:
        self.socket = socket
        self.secrets = secrets

    def envoy(self, rpc: str = "StreamSecrets") -> DownstreamClient:
        return DownstreamClient(self.socket, rpc=rpc, service=SDS)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    secrets = ScriptedSecrets()
    nonces = (f"n{number}" for number in itertools.count(1))
    options = SdsServerOptions(socket=tmp_path / "uds" / "socket", crl=str(tmp_path / "crl.pem"))
    server = SdsServer(options, secrets, clock=SystemClock(), new_nonce=lambda: next(nonces))
    async with server:
        yield Bench(options.socket, secrets)


async def ask(envoy: DownstreamClient, *names: str, nonce: str = "", node: str = NODE) -> None:
    await envoy.ask(type_urls.SECRET, *names, nonce=nonce, node=node)


async def take(envoy: DownstreamClient, *names: str, ack: bool = True) -> dict[str, Secret]:
    """The next response, by name; acknowledged for the names given unless told otherwise."""
    response = await envoy.read()
    assert response.type_url == type_urls.SECRET
    secrets = [Secret.FromString(resource.value) for resource in response.resources]
    if ack:
        await ask(envoy, *names, nonce=response.nonce, node="")
    return {secret.name: secret for secret in secrets}


def is_pair(secret: Secret, key: bytes = b"key") -> bool:
    return bool(secret.tls_certificate.private_key.inline_bytes == key)


def is_roots(secret: Secret, pem: bytes = b"roots") -> bool:
    return bool(secret.validation_context.trusted_ca.inline_bytes == pem)


async def test_socket_is_private_by_its_directory(bench: Bench) -> None:
    """The directory is for us alone, the socket open to any user who may enter it."""
    assert stat.S_IMODE(bench.socket.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(bench.socket.stat().st_mode) == 0o666


async def test_two_names_on_one_stream(bench: Bench) -> None:
    """Two names in one request are answered in one response."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default", "ROOTCA")
        got = await take(envoy, "default", "ROOTCA")
        assert is_pair(got["default"])
        assert is_roots(got["ROOTCA"])


async def test_certificate_first(bench: Bench) -> None:
    """The certificate on one stream, then the root on another."""
    async with bench.envoy() as one, bench.envoy() as two:
        await ask(one, "default")
        assert is_pair((await take(one, "default"))["default"])
        await ask(two, "ROOTCA")
        assert is_roots((await take(two, "ROOTCA"))["ROOTCA"])


async def test_root_first(bench: Bench) -> None:
    """The root on one stream, then the certificate on another."""
    async with bench.envoy() as one, bench.envoy() as two:
        await ask(one, "ROOTCA")
        assert is_roots((await take(one, "ROOTCA"))["ROOTCA"])
        await ask(two, "default")
        assert is_pair((await take(two, "default"))["default"])


async def test_parallel(bench: Bench) -> None:
    """Both streams ask before either is answered."""
    async with bench.envoy() as one, bench.envoy() as two:
        await ask(one, "default")
        await ask(two, "ROOTCA")
        assert is_roots((await take(two, "ROOTCA"))["ROOTCA"])
        assert is_pair((await take(one, "default"))["default"])


async def test_serial_addition_answers_only_what_was_added(bench: Bench) -> None:
    """A name added on the same stream is answered alone."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default")
        await take(envoy, "default", "ROOTCA")
        assert set(await take(envoy, "default", "ROOTCA")) == {"ROOTCA"}


async def test_unknown_name_is_the_workloads_certificate(bench: Bench) -> None:
    """A name nobody knows gets the workload's certificate under that name."""
    async with bench.envoy() as envoy:
        await ask(envoy, "unknown-name")
        assert is_pair((await take(envoy, "unknown-name"))["unknown-name"])


async def test_update_of_what_cannot_be_had_ends_the_stream(bench: Bench) -> None:
    """A secret that is gone when it is announced ends the stream with its name; Envoy keeps the old one and retries."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default")
        await take(envoy, "default")
        bench.secrets.change(Workload(), None)
        with pytest.raises(grpc.aio.AioRpcError, match="failed to generate secret for default: none"):
            await envoy.read()


async def test_push(bench: Bench) -> None:
    """A new value goes to every stream that watches it, and to no other."""
    async with bench.envoy() as one, bench.envoy() as two, bench.envoy() as other:
        for envoy, name in ((one, "default"), (two, "default"), (other, "ROOTCA")):
            await ask(envoy, name)
            await take(envoy, name)
        bench.secrets.change(Workload(), KeyCertificate(chain=b"chain2", key=b"key2"))
        for envoy in (one, two):
            assert is_pair((await take(envoy, "default"))["default"], b"key2")
        assert await other.nothing_comes()


async def test_reconnect(bench: Bench) -> None:
    """A new stream that tells the version it holds is answered in full: secrets may have changed meanwhile."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default")
        await take(envoy, "default")
    async with bench.envoy() as envoy:
        await envoy.send(
            DiscoveryRequest(
                type_url=type_urls.SECRET, resource_names=["default"], version_info="old", node={"id": NODE}
            )
        )
        assert is_pair((await take(envoy, "default"))["default"])


async def test_concurrent_streams(bench: Bench) -> None:
    """Many streams at once are all answered."""

    async def one() -> bool:
        async with bench.envoy() as envoy:
            await ask(envoy, "default")
            return is_pair((await take(envoy, "default"))["default"])

    assert all(await asyncio.gather(*(one() for _ in range(20))))


async def test_unsubscribe(bench: Bench) -> None:
    """Dropping names, even all, is not answered, and their updates stop."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default")
        await take(envoy)
        await ask(envoy, "ROOTCA", nonce="n1", node="")
        assert set(await take(envoy, "ROOTCA")) == {"ROOTCA"}
        bench.secrets.change(Workload(), KeyCertificate(chain=b"c2", key=b"k2"))
        assert await envoy.nothing_comes()


async def test_nack_is_not_answered(bench: Bench) -> None:
    """A rejected secret is not sent again until it changes."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default")
        response = await envoy.read()
        await envoy.send(
            DiscoveryRequest(
                type_url=type_urls.SECRET,
                resource_names=["default"],
                response_nonce=response.nonce,
                error_detail={"code": 3, "message": "bad chain"},
            )
        )
        await ask(envoy, "default", "ROOTCA", nonce=response.nonce, node="")
        assert set(await take(envoy, "default", "ROOTCA")) == {"ROOTCA"}
        assert bench.secrets.gets == 2
        bench.secrets.change(Workload(), KeyCertificate(chain=b"c2", key=b"k2"))
        assert is_pair((await take(envoy, "default"))["default"], b"k2")


async def test_cryptomb(tmp_path: Path) -> None:
    """With a key provider the key travels in its configuration."""
    options = SdsServerOptions(socket=tmp_path / "socket", provider=KeyProvider(name="cryptomb", poll_delay_s=0.01))
    async with (
        SdsServer(options, ScriptedSecrets(), clock=SystemClock()),
        DownstreamClient(options.socket, rpc="StreamSecrets", service=SDS) as envoy,
    ):
        await ask(envoy, "default")
        secret = (await take(envoy, "default"))["default"]
    assert secret.tls_certificate.private_key_provider.provider_name == "cryptomb"
    assert not secret.tls_certificate.HasField("private_key")


async def test_revocation_list_goes_with_roots_once_it_exists(bench: Bench, tmp_path: Path) -> None:
    """The list is named only if the file is there: Envoy would reject a missing one."""
    async with bench.envoy() as envoy:
        await ask(envoy, "ROOTCA")
        assert not (await take(envoy, "ROOTCA"))["ROOTCA"].validation_context.HasField("crl")
        (tmp_path / "crl.pem").write_text("x")
        bench.secrets.change(WorkloadRoots(), Roots(pem=b"new"))
        secret = (await take(envoy, "ROOTCA"))["ROOTCA"]
        assert secret.validation_context.crl.filename == str(tmp_path / "crl.pem")


@pytest.mark.parametrize(
    ("node", "names", "details"),
    [("", ("default",), "missing node information"), (NODE, ("file-cert:/one",), "want file-cert:")],
)
async def test_bad_requests_are_invalid_arguments(
    bench: Bench, node: str, names: tuple[str, ...], details: str
) -> None:
    """A first request without a node, or a name without sense, ends the stream with INVALID_ARGUMENT."""
    async with bench.envoy() as envoy:
        await ask(envoy, *names, node=node)
        code, text = await envoy.status()
        assert code == "INVALID_ARGUMENT"
        assert details in text


@pytest.mark.parametrize("rpc", ["DeltaSecrets", "FetchSecrets"])
async def test_other_methods_are_unimplemented(bench: Bench, rpc: str) -> None:
    """Only the state-of-the-world stream is served."""
    async with bench.envoy(rpc) as envoy:
        assert (await envoy.status())[0] == "UNIMPLEMENTED"


async def test_runs_until_told_and_stops_cleanly(tmp_path: Path) -> None:
    """Under the supervisor secrets and server start, are cancelled, and leave without an error and a socket."""
    until_told = asyncio.Event()
    secrets = Secrets(SecretOptions(), signer=None, x509=inline_x509(), clock=SystemClock(), metrics=SecretMetrics())
    server = SdsServer(SdsServerOptions(socket=tmp_path / "socket"), secrets, clock=SystemClock())
    asyncio.get_running_loop().call_later(0.02, until_told.set)
    await run_all([secrets, server], until=until_told)
    assert not (tmp_path / "socket").exists()


async def test_versions_and_nonces_differ(bench: Bench) -> None:
    """Each response has its own nonce and a version of time and count."""
    async with bench.envoy() as envoy:
        await ask(envoy, "default")
        first = await envoy.read()
        await ask(envoy, "default", nonce=first.nonce)
        bench.secrets.change(Workload(), KeyCertificate(chain=b"c2", key=b"k2"))
        second = await envoy.read()
        assert first.nonce != second.nonce
        version = first.version_info
        moment, _, count = version.partition("/")
        assert (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds() < 60
        assert count == "1"
