"""The DNS proxy as the settings say, and a name on its way from the control plane to a client."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import dns.message
import dns.rcode
import pytest

from agent import dns_proxy as module
from agent.dns_proxy import DnsProxyError, build_dns_proxy, wants_dns_proxy
from agent.metrics import Registry
from discovery.wire.node import NodeType
from discovery.wire.type_urls import NAME_TABLE
from tests.kit.agent import settings
from tests.kit.fake_clock import FakeClock
from tests.kit.fake_istiod import FakeIstiod, delta_response
from tests.kit.fake_resolver import ask_udp, question
from tests.kit.free_ports import free_ports
from tests.kit.live_agent import configure_envoy, live_agent
from tests.kit.name_table import write_name_table

CONF = "nameserver 127.0.0.9\nsearch shop.svc.cluster.local\n"


@pytest.fixture
def resolv_conf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The host's resolver configuration."""
    path = tmp_path / "resolv.conf"
    path.write_text(CONF)
    monkeypatch.setattr(module, "RESOLV_CONF", str(path))
    monkeypatch.setattr(module, "OWN_RESOLV_CONF", str(tmp_path / "own.conf"))
    return path


@pytest.mark.parametrize(
    ("role", "metadata", "wanted"),
    [
        (NodeType.SIDECAR, {"DNS_CAPTURE": "true"}, True),
        (NodeType.SIDECAR, {"DNS_CAPTURE": True}, True),
        (NodeType.SIDECAR, {"DNS_CAPTURE": "false"}, False),
        (NodeType.SIDECAR, {}, False),
        (NodeType.ROUTER, {"DNS_CAPTURE": "true"}, False),
        (NodeType.ROUTER, {"ENABLE_DNS_SERVER": "true"}, True),
    ],
)
def test_a_proxy_has_one_when_it_is_told(role: NodeType, metadata: dict[str, object], *, wanted: bool) -> None:
    """Gateways capture nothing; anybody may be told to serve."""
    assert wants_dns_proxy(role, metadata) is wanted


@pytest.mark.usefixtures("resolv_conf")
async def test_a_table_is_answered_by(tmp_path: Path) -> None:
    """Short names are those of the pod's namespace and domain."""
    told = settings(tmp_path, env={"DNS_PROXY_ADDR": "127.0.0.1:0", "POD_NAMESPACE": "shop"})
    registry = Registry()
    proxy = build_dns_proxy(told, low_port=False, clock=FakeClock(), registry=registry)
    proxy.intercept.handle(
        write_name_table(
            {
                "web.shop.svc.cluster.local": {
                    "ips": ["10.0.0.1"],
                    "registry": "Kubernetes",
                    "shortname": "web",
                    "namespace": "shop",
                }
            }
        )
    )
    async with proxy.server, asyncio.TaskGroup() as group:
        running = group.create_task(proxy.server.run())
        for name in ("web.", "web.shop.shop.svc.cluster.local."):
            answer = dns.message.from_wire(await ask_udp(proxy.server.addresses[0], question(name).to_wire()))
            assert answer.answer[-1][0].to_text() == "10.0.0.1"
        running.cancel()
    assert b"istio_agent_dns_requests_total 2" in registry.render()


@pytest.mark.envoy
async def test_the_whole_agent_answers_by_what_the_control_plane_says(tmp_path: Path) -> None:
    """Subscribed behind Envoy's first request, acknowledged; ready when the table is there."""
    (port,) = free_ports(1)
    env = {"ISTIO_META_DNS_CAPTURE": "true", "DNS_PROXY_ADDR": f"127.0.0.1:{port}"}
    async with FakeIstiod() as istiod, live_agent(tmp_path, istiod.address, env=env) as agent:
        stream = await istiod.accept()
        await configure_envoy(stream)
        await agent.until("/healthz/ready", 503, starts=b"dns: istio DNS capture is turned ON")
        answer = dns.message.from_wire(await ask_udp(("127.0.0.1", port), question("web.example.").to_wire()))
        assert answer.rcode() == dns.rcode.SERVFAIL
        shown = await agent.ask("/debug/ndsz")
        assert (shown.status, shown.body) == (404, b"{}")
        table = write_name_table({"web.example": {"ips": ["10.0.0.1"], "registry": "External"}})
        await stream.write(delta_response(NAME_TABLE, table, nonce="nds-1"))
        await agent.until("/healthz/ready", 200)
        shown = await agent.ask("/debug/ndsz")
        assert json.loads(shown.body) == {"table": {"web.example.": {"ips": ["10.0.0.1"]}}}
        answer = dns.message.from_wire(await ask_udp(("127.0.0.1", port), question("web.example.").to_wire()))
        assert answer.answer[0][0].to_text() == "10.0.0.1"


def test_what_cannot_be_started_is_told(tmp_path: Path, resolv_conf: Path) -> None:
    """A bad address, and a resolver configuration that is not there."""
    clock, registry = FakeClock(), Registry()
    with pytest.raises(DnsProxyError, match="want host:port"):
        build_dns_proxy(
            settings(tmp_path, env={"DNS_PROXY_ADDR": "here"}), low_port=False, clock=clock, registry=registry
        )
    resolv_conf.unlink()
    with pytest.raises(DnsProxyError, match=r"resolv.conf: No such file.*asks its name servers"):
        build_dns_proxy(settings(tmp_path), low_port=False, clock=clock, registry=registry)


@pytest.mark.usefixtures("resolv_conf")
def test_the_hosts_own_resolver_has_a_file_of_its_own(tmp_path: Path) -> None:
    """For `resolv.conf` names the proxy itself; without the right port 53 is not taken."""
    (tmp_path / "own.conf").write_text("nameserver 127.0.0.8\n")
    assert module._plan("127.0.0.1:53", low_port=True).servers[0].host == "127.0.0.8"
    plan = module._plan("127.0.0.1:53", low_port=False)
    assert (plan.listen, plan.servers[0].host) == ((("127.0.0.1", 15053),), "127.0.0.9")
