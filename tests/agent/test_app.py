"""The whole agent as a process, beside a real Envoy."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
from pathlib import Path

import pytest

from discovery.runtime.clock import SystemClock
from tests.kit.eventually import eventually
from tests.kit.fake_ca import FakeCaServer
from tests.kit.fake_istiod import FakeIstiod
from tests.kit.free_ports import free_ports
from tests.kit.live_agent import LiveAgent, configure_envoy, live_agent
from tests.kit.mesh_ca import MeshCa

pytestmark = pytest.mark.envoy


def _alive(pid: int) -> bool:
    try:
        return (Path(f"/proc/{pid}/stat").read_text()).rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _mapped(agent: LiveAgent) -> str:
    return Path(f"/proc/{agent.process.pid}/maps").read_text()


def _files(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if not path.is_dir()]


async def _gone(pid: int) -> bool:
    await eventually(lambda: not _alive(pid))  # the kernel takes its time to end a process
    return True


async def _ready(agent: LiveAgent, istiod: FakeIstiod) -> int:
    """Bring it to readiness; the process id of its Envoy."""
    await configure_envoy(await istiod.accept())
    await agent.until("/healthz/ready", 200)
    return await agent.envoy_pid()


async def test_readiness_follows_envoy(tmp_path: Path) -> None:
    """503 with the reason until configuration came; then 200, also through Envoy, and also without control plane."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        stream = await istiod.accept()
        await agent.until("/healthz/ready", 503, starts=b"envoy config: ")
        await configure_envoy(stream)
        await agent.until("/healthz/ready", 200)
        await agent.until("/healthz/ready", 200, port="ENVOY_STATUS_PORT")
        await istiod.__aexit__()
        assert (await agent.ask("/healthz/ready")).status == 200


async def test_one_scrape_tells_of_both(tmp_path: Path) -> None:
    """The agent's own metrics first, then Envoy's."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        await _ready(agent, istiod)
        text = (await agent.ask("/stats/prometheus")).body.decode()
    assert text.index("istio_agent_scrapes_total 1.0") < text.index("envoy_server_live")
    startup = next(line for line in text.splitlines() if line.startswith("istio_agent_startup_duration_seconds"))
    assert 0 < float(startup.split()[1]) < 20


async def test_a_signal_ends_everything(tmp_path: Path) -> None:
    """Drain, then the end: status 0, no Envoy, no socket and no bootstrap left."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        envoy = await _ready(agent, istiod)
        agent.signal(signal.SIGTERM)
        ended = await agent.wait()
        assert (ended.code, ended.signal) == (0, None)
        assert await _gone(envoy)
        assert "ending Envoy" in agent.text
        assert "order to Envoy failed" not in agent.text
    assert _files(tmp_path) == []


async def test_readiness_fails_while_draining(tmp_path: Path) -> None:
    """Whoever balances load shall see the end before it comes."""
    config = {"terminationDrainDuration": "60s"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, config=config) as agent:
        envoy = await _ready(agent, istiod)
        agent.signal(signal.SIGTERM)
        await agent.until("/healthz/ready", 503, starts=b"shutdown: server is terminated\n")
        assert _alive(envoy)
        agent.signal(signal.SIGTERM)  # the second one does not wait
        assert (await agent.wait()).code == 0
        assert await _gone(envoy)


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGKILL, "out-of-memory"), (signal.SIGSEGV, "killed by SIGSEGV")]
)
async def test_a_crash_is_visible(tmp_path: Path, number: signal.Signals, words: str) -> None:
    """The log says how Envoy died, the agent ends with it; the platform restarts both."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        envoy = await _ready(agent, istiod)
        os.kill(envoy, number)
        assert (await agent.wait()).code == 0
        assert "Envoy exited with error" in agent.text
        assert words in agent.text


async def test_orders_over_http(tmp_path: Path) -> None:
    """/drain leaves Envoy running; /quitquitquit ends it at once."""
    config = {"terminationDrainDuration": "60s"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, config=config) as agent:
        envoy = await _ready(agent, istiod)
        assert (await agent.ask("/drain", method="POST")).body == b"OK"
        assert _alive(envoy)
        assert (await agent.ask("/quitquitquit", method="POST")).body == b"OK"
        assert (await agent.wait()).code == 0
        assert await _gone(envoy)


async def test_an_agent_that_is_killed_takes_its_envoy_along(tmp_path: Path) -> None:
    """A successor must find the ports free."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        envoy = await _ready(agent, istiod)
        agent.signal(signal.SIGKILL)
        await agent.wait()
        assert await _gone(envoy)


async def test_a_taken_status_port_is_no_end(tmp_path: Path) -> None:
    """The error is logged; Envoy runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = {"statusPort": taken.getsockname()[1]}
        async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, config=config) as agent:
            await configure_envoy(await istiod.accept())
            await agent.said("its port cannot be bound")
            agent.signal(signal.SIGTERM)
            assert (await agent.wait()).code == 0


async def test_without_envoy(tmp_path: Path) -> None:
    """DISABLE_ENVOY: ready once the certificate is written; the application's bootstrap leads to our socket."""
    clock = SystemClock()
    ca = MeshCa(clock.now())
    env = {"DISABLE_ENVOY": "true", "OUTPUT_CERTS": "out", "ECC_SIGNATURE_ALGORITHM": "ECDSA"}
    async with FakeCaServer(ca, clock) as authority, FakeIstiod() as istiod:
        config = {"discoveryAddress": authority.address}
        async with live_agent(tmp_path, istiod.address, config=config, env=env) as agent:
            await agent.until("/healthz/ready", 200)
            document = json.loads((tmp_path / "etc/istio/proxy/grpc-bootstrap.json").read_text())
            assert document["xds_servers"][0]["server_uri"] == f"unix://{tmp_path}/etc/istio/proxy/XDS"
            assert document["node"]["metadata"]["GENERATOR"] == "grpc"
            assert "Envoy started" not in agent.text
            assert (await agent.ask("/drain", method="POST")).status == 200
            agent.signal(signal.SIGTERM)
            assert (await agent.wait()).code == 0
    assert sorted(_files(tmp_path)) == ["cert-chain.pem", "key.pem", "root-cert.pem"]


async def test_a_plaintext_port_is_told(tmp_path: Path) -> None:
    """TLS towards a port without it: the log says which setting to change, not only what OpenSSL thinks of it."""
    _install_trust(tmp_path, MeshCa(SystemClock().now()))
    config = {"controlPlaneAuthPolicy": "MUTUAL_TLS"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, config=config) as agent:
        async with asyncio.timeout(20):
            await agent.said(f"{istiod.address} does not speak TLS.*set controlPlaneAuthPolicy to NONE")


async def test_two_agents_share_a_host(tmp_path: Path) -> None:
    """Other ports and another directory are all that is needed."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with (
        FakeIstiod() as istiod,
        live_agent(tmp_path / "one", istiod.address, env={"INSTANCE_IP": "127.0.0.2"}) as one,
        live_agent(tmp_path / "two", istiod.address, env={"INSTANCE_IP": "127.0.0.3"}) as two,
    ):
        for _ in range(2):
            await configure_envoy(await istiod.accept())
        for agent in (one, two):
            await agent.until("/healthz/ready", 200)


async def test_settings_reach_envoy(tmp_path: Path) -> None:
    """What Envoy runs by is what the agent was told, the override included."""
    (tmp_path / "over.yaml").write_text("stats_flush_interval: 7s\n")
    env = {"ISTIO_BOOTSTRAP_OVERRIDE": "over.yaml", "ISTIO_META_FOO": "bar"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, env=env) as agent:
        await _ready(agent, istiod)
        dump = json.loads((await agent.ask("/config_dump", port="proxyAdminPort")).body)
    bootstrap = dump["configs"][0]["bootstrap"]
    assert bootstrap["stats_flush_interval"] == "7s"
    assert bootstrap["node"]["id"] == "sidecar~127.0.0.1~web-0.shop~shop.svc.cluster.local"
    assert bootstrap["node"]["metadata"]["FOO"] == "bar"


async def test_unknown_flags_are_told(tmp_path: Path) -> None:
    """Old manifests keep working, and somebody can find out."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, args=("--trust-domain", "x")) as agent:
        await agent.said("unknown flag ignored.*--trust-domain")
        await _ready(agent, istiod)


def _install_trust(directory: Path, ca: MeshCa) -> None:
    for path, data in (("istio/root-cert.pem", ca.root_pem), ("tokens/istio-token", b"the-token")):
        file = directory / "var/run/secrets" / path
        file.parent.mkdir(parents=True)
        file.write_bytes(data)


def _client_context(directory: Path, ca: MeshCa) -> ssl.SSLContext:
    """A client of the mesh, that trusts the mesh's root and looks at names itself."""
    (directory / "client").mkdir()
    ca.pair(uri="spiffe://cluster.local/ns/a/sa/b").write(directory / "client")
    context = ssl.create_default_context(cadata=ca.root_pem.decode())
    context.check_hostname = False
    context.load_cert_chain(directory / "client/cert-chain.pem", directory / "client/key.pem")
    return context


async def test_the_secure_path_as_a_whole(tmp_path: Path) -> None:
    """TLS and token to the control plane and to the CA; Envoy serves with the certificate that came of it."""
    clock = SystemClock()
    ca = MeshCa(clock.now())
    _install_trust(tmp_path, ca)
    (secure_port,) = free_ports(1)
    async with (
        FakeIstiod(credentials=ca.server_credentials()) as istiod,
        FakeCaServer(ca, clock, credentials=ca.server_credentials()) as authority,
        live_agent(
            tmp_path,
            istiod.address,
            config={"controlPlaneAuthPolicy": "MUTUAL_TLS"},
            env={"CA_ADDR": authority.address, "ENVOY_SECURE_METRICS_PORT": str(secure_port)},
        ) as agent,
    ):
        stream = await istiod.accept()
        assert stream.metadata["authorization"] == "Bearer the-token"
        await configure_envoy(stream)
        await agent.until("/healthz/ready", 200)
        assert authority.metadata["authorization"] == "Bearer the-token"
        context = _client_context(tmp_path, ca)
        _, writer = await asyncio.open_connection("127.0.0.1", secure_port, ssl=context)
        names = writer.get_extra_info("peercert")["subjectAltName"]
        writer.close()
        loaded = _mapped(agent)
    assert names == (("URI", "spiffe://cluster.local/ns/shop/sa/web"),)
    # Its memory is every pod's: what the certificate took to issue lived in a child.
    assert "cygrpc" in loaded
    assert not any(library in loaded for library in ("cryptography", "libssl", "libcrypto"))
