"""The table of faults, played through: what the agent says is what the table says, and what goes on is looked at."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path

import grpc
import pytest

from discovery.runtime.clock import Clock, SystemClock
from discovery.runtime.http_client import HttpClientError
from discovery.wire import type_urls
from tests.kit.eventually import eventually
from tests.kit.fake_ca import FakeCaServer
from tests.kit.fake_istiod import FakeIstiod, delta_response
from tests.kit.faults import PAGE, Fault, faults, render_faults
from tests.kit.free_ports import free_ports
from tests.kit.live_agent import LiveAgent, configure_envoy, live_agent
from tests.kit.mesh_ca import MeshCa

pytestmark = [pytest.mark.envoy]

ROOT = Path(__file__).parents[2]


async def seen(agent: LiveAgent, *names: str, within_s: float = 40) -> None:
    """Return once each message of these faults was in the log or in the readiness answer."""
    answers = ""

    async def all_seen() -> bool:
        nonlocal answers
        with suppress(HttpClientError):  # the agent has ended, or has not begun
            answers = (await agent.ask("/healthz/ready")).body.decode()
        return not any(faults()[name].unseen(f"{agent.text}\n{answers}") for name in names)

    try:
        await eventually(all_seen, within_s=within_s)
    except TimeoutError:
        missing = [message for name in names for message in faults()[name].unseen(f"{agent.text}\n{answers}")]
        raise AssertionError(f"not said: {missing}\n{answers}\n{agent.text}") from None


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_the_page_is_the_table(update_goldens: bool) -> None:
    """`make goldens` rewrites it."""
    if update_goldens:
        PAGE.write_text(render_faults(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == render_faults()


@pytest.mark.parametrize("fault", list(faults().values()), ids=lambda fault: fault.name)
def test_each_row_has_its_test(fault: Fault) -> None:
    """The test that it names is there and takes the row by its name."""
    file, _, name = fault.test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    assert f"def {name}(" in text
    assert f'"{fault.name}"' in text or file != "tests/integration/test_faults.py"


async def test_control_plane_away(tmp_path: Path) -> None:
    """Agent and Envoy wait; the control plane comes, and the workload is ready without a restart."""
    (port,) = free_ports(1)
    async with live_agent(tmp_path, f"127.0.0.1:{port}") as agent:
        await seen(agent, "control-plane-away")
        assert (await agent.ask("/stats/prometheus")).status == 200
        async with FakeIstiod(port=port) as istiod:
            await configure_envoy(await istiod.accept())
            await agent.until("/healthz/ready", 200)


async def test_control_plane_lost(tmp_path: Path) -> None:
    """The workload stays ready, Envoy lives on, and comes back to the next one with the versions that it holds."""
    async with live_istiod() as (istiod, port), live_agent(tmp_path, f"127.0.0.1:{port}") as agent:
        await configure_envoy(await istiod.accept())
        await agent.until("/healthz/ready", 200)
        await istiod.__aexit__()
        await seen(agent, "control-plane-lost")
        assert (await agent.ask("/healthz/ready")).status == 200
        assert alive(await agent.envoy_pid())
        async with FakeIstiod(port=port) as successor:
            await successor.accept()


@asynccontextmanager
async def live_istiod() -> AsyncIterator[tuple[FakeIstiod, int]]:
    """A control plane on a port that a successor can take."""
    (port,) = free_ports(1)
    async with FakeIstiod(port=port) as istiod:
        yield istiod, port


@pytest.mark.parametrize("name", ["root-missing", "root-empty", "envoy-missing", "dns-port-taken", "setting-wrong"])
async def test_refused_starts(tmp_path: Path, name: str) -> None:
    """The agent ends with 255 and says why; no Envoy is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        dns = {"ISTIO_META_DNS_CAPTURE": "true", "DNS_PROXY_ADDR": f"127.0.0.1:{taken.getsockname()[1]}"}
        env = {"dns-port-taken": dns, "setting-wrong": {"ISTIO_META_DNS_CAPTURE": "yes"}}.get(name, {})
        config = {"controlPlaneAuthPolicy": "MUTUAL_TLS"} if name.startswith("root-") else {}
        if name == "root-empty":
            root = tmp_path / "var/run/secrets/istio/root-cert.pem"
            root.parent.mkdir(parents=True)
            root.touch()
        args = ("--binary-path", "/nowhere/envoy") if name == "envoy-missing" else ()
        async with live_agent(tmp_path, "127.0.0.1:1", config=config, env=env, args=args) as agent:
            assert (await agent.wait()).code == 255
            await seen(agent, name)
            assert "Envoy started" not in agent.text


async def test_second_agent(tmp_path: Path) -> None:
    """Somebody tries by hand what the service does already: the first one's Envoy comes back to the control plane."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        stream = await istiod.accept()
        await configure_envoy(stream)
        await agent.until("/healthz/ready", 200)
        async with live_agent(tmp_path, istiod.address) as second:
            assert (await second.wait()).code == 255
            await seen(second, "second-agent")
        stream.end(grpc.StatusCode.UNAVAILABLE, "transport is closing")
        await istiod.accept()
        assert tmp_path.joinpath("etc/istio/proxy/envoy-rev.json").exists()


async def test_token_missing_then_replaced(tmp_path: Path) -> None:
    """Without a file there is no header; each new stream has what the file holds then."""
    token = tmp_path / "var/run/secrets/tokens/istio-token"
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        first = await istiod.accept()
        assert "authorization" not in first.metadata
        await seen(agent, "token-missing", "token-replaced")
        token.parent.mkdir(parents=True)
        for text in ("one", "two"):
            fresh = token.with_name("new")
            fresh.write_text(text)
            fresh.rename(token)
            first.end(grpc.StatusCode.UNAVAILABLE, "transport is closing")
            first = await istiod.accept()
            assert first.metadata["authorization"] == f"Bearer {text}"


class Secured:
    """An agent with a listener that needs the certificate: Envoy's secure metrics port."""

    def __init__(self, directory: Path, *, root_age: timedelta = timedelta(0)) -> None:
        self.clock = SystemClock()
        self.ca = MeshCa(self.clock.now() - root_age)
        lifetime = root_age + timedelta(days=1)
        self.credentials = self.ca.server_credentials(self.ca.pair(lifetime=lifetime))
        self.directory = directory
        self.ca_port, self.port = free_ports(2)
        directory.joinpath("client").mkdir()
        directory.joinpath("var/run/secrets/istio").mkdir(parents=True)
        directory.joinpath("var/run/secrets/istio/root-cert.pem").write_bytes(self.ca.root_pem)
        self.ca.pair(uri="spiffe://cluster.local/ns/a/sa/b", lifetime=lifetime).write(directory / "client")

    @asynccontextmanager
    async def agent(self, **env: str) -> AsyncIterator[LiveAgent]:
        """Configured with nothing, so that it is ready."""
        environ = {
            "CA_ADDR": f"127.0.0.1:{self.ca_port}",
            "ECC_SIGNATURE_ALGORITHM": "ECDSA",
            "ENVOY_SECURE_METRICS_PORT": str(self.port),
            **env,
        }
        wrapper = prepared(env["OUTPUT_CERTS"], "size=16k") if "OUTPUT_CERTS" in env else ()
        async with (
            FakeIstiod() as istiod,
            live_agent(self.directory, istiod.address, env=environ, wrapper=wrapper) as agent,
        ):
            await configure_envoy(await istiod.accept())
            yield agent

    def authority(self, clock: Clock | None = None) -> FakeCaServer:
        """The CA, at the port that the agent knows."""
        return FakeCaServer(self.ca, clock or self.clock, port=self.ca_port, credentials=self.credentials)

    async def serial(self) -> int:
        """The number of the certificate that Envoy serves with; 0 while it serves with none."""
        context = ssl.create_default_context(cadata=self.ca.root_pem.decode())
        context.check_hostname = False
        context.load_cert_chain(self.directory / "client/cert-chain.pem", self.directory / "client/key.pem")
        try:
            async with asyncio.timeout(2):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port, ssl=context)
        except (OSError, TimeoutError):
            return 0
        number = int(writer.get_extra_info("peercert")["serialNumber"], 16)
        writer.close()
        return number

    async def serves(self) -> bool:
        """Whether it serves."""
        return bool(await self.serial())


async def test_ca_away(tmp_path: Path) -> None:
    """Configuration is taken without a certificate; mutual TLS opens once the CA is there."""
    secured = Secured(tmp_path)
    async with secured.agent() as agent:
        await seen(agent, "ca-away")
        taken = (await agent.ask("/stats?filter=cds.update_success", port="proxyAdminPort")).body
        assert taken == b"cluster_manager.cds.update_success: 1\n"
        assert not await secured.serves()
        async with secured.authority():
            await eventually(secured.serves, within_s=20)


async def test_ca_lost(tmp_path: Path) -> None:
    """The certificate stays in use while its renewal fails; the next one comes with the CA."""
    secured = Secured(tmp_path)
    async with AsyncExitStack() as stack:
        authority = await stack.enter_async_context(secured.authority())
        agent = await stack.enter_async_context(secured.agent(SECRET_TTL="60s", SECRET_GRACE_PERIOD_RATIO="0.97"))
        await eventually(secured.serves, within_s=20)
        held = await secured.serial()
        await authority.__aexit__()
        await seen(agent, "ca-lost")
        assert await secured.serial() == held
        await stack.enter_async_context(secured.authority())

        async def renewed() -> bool:
            return await secured.serial() not in (0, held)

        await eventually(renewed, within_s=20)


class SetClock(SystemClock):
    """A clock that somebody has set wrong."""

    def __init__(self, off: timedelta) -> None:
        super().__init__()
        self.off = off

    def now(self) -> datetime:
        """The time that it shows."""
        return super().now() + self.off


async def test_clock_wrong(tmp_path: Path) -> None:
    """Three days between machine and CA: what it issues has expired by the machine's clock; set right, it serves."""
    secured, clock = Secured(tmp_path, root_age=timedelta(days=5)), SetClock(-timedelta(days=3))
    async with secured.authority(clock), secured.agent() as agent:
        await seen(agent, "clock-wrong")
        assert not await secured.serves()
        clock.off = timedelta(0)
        await eventually(secured.serves, within_s=70)


def prepared(directory: str, options: str) -> tuple[str, ...]:
    """Run what follows where a file system of its own is mounted at a directory."""
    script = f'mkdir -p {directory} && mount -t tmpfs -o {options} none {directory} && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", script, "sh")


@pytest.mark.root
@pytest.mark.parametrize(("name", "options"), [("disk-full", "size=4k"), ("disk-read-only", "ro")])
async def test_disks(tmp_path: Path, name: str, options: str) -> None:
    """Without a bootstrap there is no Envoy: the agent ends and says which directory is meant."""
    wrapper = prepared("etc/istio/proxy", options)
    async with live_agent(tmp_path, "127.0.0.1:1", wrapper=wrapper) as agent:
        assert (await agent.wait()).code == 255
        await seen(agent, name)
        assert "Envoy started" not in agent.text


@pytest.mark.root
async def test_disk_full_later(tmp_path: Path) -> None:
    """Certificates that cannot be written are served all the same, and files are never half written."""
    secured = Secured(tmp_path)
    async with AsyncExitStack() as stack:
        agent = await stack.enter_async_context(secured.agent(OUTPUT_CERTS="out", SECRET_TTL="20s"))
        output = Path(f"/proc/{agent.process.pid}/root{tmp_path}/out")
        await eventually(lambda: output.is_dir())
        with pytest.raises(OSError, match="No space"):
            output.joinpath("filler").write_bytes(bytes(1 << 20))
        await stack.enter_async_context(secured.authority())
        await seen(agent, "disk-full-later")
        await eventually(secured.serves, within_s=20)
        assert not any(name.endswith(".pem") for name in os.listdir(output))


async def test_envoy_refuses(tmp_path: Path) -> None:
    """Envoy's own words say which port; the agent's last line says where to look."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = {"proxyAdminPort": taken.getsockname()[1]}
        async with live_agent(tmp_path, "127.0.0.1:1", config=config) as agent:
            assert (await agent.wait()).code == 0
            await seen(agent, "envoy-refuses")


async def test_envoy_crash_loop(tmp_path: Path) -> None:
    """Started again with growing delays, configured anew and ready each time; then the agent ends, and says so."""
    env = {"ENVOY_MAX_RESTARTS": "2"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, env=env) as agent:
        for number in (1, 2, 3):
            await eventually(lambda n=number: agent.text.count("Envoy started") == n)
            stream = await istiod.accept()
            await agent.until("/healthz/ready", 503, starts=b"envoy config: ")
            await configure_envoy(stream)
            await agent.until("/healthz/ready", 200)
            os.kill(int(agent.text.split("Envoy started")[-1].split("pid=")[1].split()[0]), signal.SIGSEGV)
        assert (await agent.wait()).code == 0
        await seen(agent, "envoy-crash-loop")


async def test_status_port_taken(tmp_path: Path) -> None:
    """Envoy runs and is configured; who asks it for readiness is told that the agent does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = {"statusPort": taken.getsockname()[1]}
        taken.close()
        with socket.create_server(("", config["statusPort"])) as held:
            held.settimeout(0)
            async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, config=config) as agent:
                await configure_envoy(await istiod.accept())
                await eventually(lambda: not faults()["status-port-taken"].unseen(agent.text))
                held.close()
                await agent.until("/healthz/ready", 503, port="ENVOY_STATUS_PORT")


@pytest.mark.parametrize("name", ["xds-garbage", "xds-rejected"])
async def test_malformed_xds(tmp_path: Path, name: str) -> None:
    """What cannot be read ends the stream, what Envoy rejects is told; the next good answer is taken."""
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address) as agent:
        stream = await istiod.accept()
        await stream.read()
        if name == "xds-garbage":
            await stream.write_bytes(b"\xff\xff\xffgarbage")
            await seen(agent, name)
            await configure_envoy(await istiod.accept())
        else:
            await stream.write(delta_response(type_urls.CLUSTER, b"\xff\xff\xff"))
            await seen(agent, name)
            stream.end(grpc.StatusCode.UNAVAILABLE, "transport is closing")
            await configure_envoy(await istiod.accept())
        await agent.until("/healthz/ready", 200)
