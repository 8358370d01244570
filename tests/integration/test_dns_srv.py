"""SRV of the mesh: the control plane's ports, through a real agent, to a resolver as applications have one."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import dns.asyncresolver
import dns.message
import dns.resolver
import pytest

from tests.kit.fake_resolver import ask_udp, question
from tests.kit.free_ports import free_ports
from tests.kit.live import until
from tests.kit.live_mesh import SecureMesh

pytestmark = [pytest.mark.envoy]

ENTRY = """
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: ldap, namespace: default}}
spec:
  hosts: [ldap.example.com]
  addresses: [240.1.0.1]
  resolution: STATIC
  endpoints: [{{address: 10.3.0.1}}]
  ports: [{{number: {port}, name: ldap, protocol: TCP}}]
"""
MESH = """
apiVersion: v1
kind: Service
metadata: {name: web, namespace: default}
spec: {clusterIP: 10.1.0.1, ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: default}
spec: {clusterIP: None, ports: [{name: sql, port: 5432}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: db-1, namespace: default, labels: {kubernetes.io/service-name: db}}
addressType: IPv4
ports: [{name: sql, port: 5432}]
endpoints:
- {addresses: [10.2.0.1], targetRef: {kind: Pod, name: db-0, namespace: default}}
- {addresses: [10.2.0.2], targetRef: {kind: Pod, name: db-1, namespace: default}}
---
apiVersion: v1
kind: Pod
metadata: {name: db-0, namespace: default}
spec: {hostname: db-0, subdomain: db}
status: {podIP: 10.2.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: db-1, namespace: default}
spec: {hostname: db-1, subdomain: db}
status: {podIP: 10.2.0.2}
"""


async def servers(resolver: dns.asyncresolver.Resolver, name: str, *, tcp: bool = False) -> list[str]:
    """What an application finds; empty: there is no such name."""
    try:
        answer = await resolver.resolve(name, "SRV", tcp=tcp, lifetime=10)
    except dns.resolver.NXDOMAIN:
        return []
    return sorted(item.to_text() for item in answer)


@pytest.mark.timeout(120)
async def test_an_application_finds_services_by_name(tmp_path: Path) -> None:
    """Of hosts that no other resolver knows too, by UDP and TCP; a change of a port is seen."""
    (port,) = free_ports(1)
    mesh = SecureMesh(tmp_path, MESH)
    async with AsyncExitStack() as stack:
        discovery = await stack.enter_async_context(mesh.discovery())
        discovery.write("entry.yaml", ENTRY.format(port=389))
        env = {"ISTIO_META_DNS_CAPTURE": "true", "DNS_PROXY_ADDR": f"127.0.0.1:{port}"}
        agent = await stack.enter_async_context(mesh.workload("web", ip="127.0.0.1").running(discovery, env))
        await agent.until("/healthz/ready", 200)
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], port

        async def finds(name: str, *expected: str) -> None:
            async def found() -> bool:
                return await servers(resolver, name) == sorted(expected)

            await until(found, lambda: agent.text[-3000:])

        await finds("_ldap._tcp.ldap.example.com", "0 0 389 ldap.example.com.")
        await finds("_http._tcp.web.default.svc.cluster.local", "0 0 80 web.default.svc.cluster.local.")
        await finds("_dns._udp.web.default.svc", "0 0 53 web.default.svc.cluster.local.")
        pods = [f"0 1 5432 db-{number}.db.default.svc.cluster.local." for number in (0, 1)]
        await finds("_sql._tcp.db.default", *pods)
        assert await servers(resolver, "_sql._tcp.db.default", tcp=True) == pods
        wire = await ask_udp(("127.0.0.1", port), question("_sql._tcp.db.", "SRV").to_wire())
        hints = {rrset.to_text() for rrset in dns.message.from_wire(wire).additional}
        assert hints == {f"db-{n}.db.default.svc.cluster.local. 30 IN A 10.2.0.{n + 1}" for n in (0, 1)}
        discovery.write("entry.yaml", ENTRY.format(port=636))
        await finds("_ldap._tcp.ldap.example.com", "0 0 636 ldap.example.com.")
