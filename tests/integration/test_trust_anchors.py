"""Roots of another authority reach a running Envoy by way of the mesh configuration, and leave it."""

from __future__ import annotations

import asyncio
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.kit.free_ports import free_ports
from tests.kit.live import until
from tests.kit.live_mesh import SecureMesh
from tests.kit.mesh_ca import MeshCa

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(120)]

ENTRY = """
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: web, namespace: default}
spec: {address: 127.0.0.62, labels: {app: web}, serviceAccount: web}
"""


def write_mesh(directory: Path, *roots: bytes) -> None:
    """The mesh configuration, replaced at once."""
    file = directory / "etc/istio/config/mesh"
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name("new")
    fresh.write_text(json.dumps({"caCertificates": [{"pem": root.decode()} for root in roots]}), encoding="utf-8")
    fresh.rename(file)


async def test_roots_of_the_mesh_configuration(tmp_path: Path) -> None:
    """A caller with a certificate of another authority is refused, then served, then refused again."""
    other = MeshCa(datetime.now(UTC), trust_domain="other.example")
    (tmp_path / "caller").mkdir()
    other.pair(uri="spiffe://other.example/ns/a/sa/b").write(tmp_path / "caller")
    mesh = SecureMesh(tmp_path, ENTRY)
    write_mesh(tmp_path)
    (port,) = free_ports(1)
    env = {"ENVOY_SECURE_METRICS_PORT": str(port), "PROXY_CONFIG_XDS_AGENT": "true"}
    async with mesh.discovery() as discovery:
        web = mesh.workload("web", ip="127.0.0.62")
        async with web.running(discovery, env=env) as agent:
            await agent.until("/healthz/ready", 200)

            async def answers() -> bool:
                context = ssl.create_default_context(cadata=mesh.root.decode())
                context.check_hostname = False
                context.load_cert_chain(tmp_path / "caller/cert-chain.pem", tmp_path / "caller/key.pem")
                try:
                    async with asyncio.timeout(5):
                        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                        writer.write(b"GET /stats/prometheus HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
                        head = await reader.readline()
                        writer.close()
                except OSError:
                    return False
                return head == b"HTTP/1.1 200 OK\r\n"

            async def refused() -> bool:
                return not await answers()

            assert await refused()
            write_mesh(tmp_path, other.root_pem)
            await until(answers, lambda: agent.text[-3000:] + discovery.program.text[-2000:])
            assert "trust anchors of the control plane" in agent.text
            shown = await discovery.debug("config_dump?proxyID=web-0.default&types=PCDS")
            assert json.dumps(other.root_pem.decode()) in json.dumps(shown)
            write_mesh(tmp_path)
            await until(refused, lambda: agent.text[-3000:])
            assert (await agent.ask("/healthz/ready")).status == 200
