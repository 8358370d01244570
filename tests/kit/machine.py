"""Machines of the mesh with a root and a network of their own: a virtual machine that init starts, and a pod."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from tests.kit.clean_root import CleanRoot
from tests.kit.live import Program, program
from tests.kit.netns import Namespace
from tests.kit.unit_file import parse_unit

__all__ = ["APPLICATION", "Machine"]

APPLICATION: Final = "1000:1000"  # nobody that traffic capture knows
_PROXY: Final = 1337
_UNIT: Final = "/lib/systemd/system/pilot-agent.service"
_SERVER: Final = """
import http.server, os

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        ill = self.path == "/ready" and os.path.exists("/srv/ill")
        body = f"{os.environ['NAME']} for {self.headers.get('x-forwarded-client-cert', 'nobody')}".encode()
        self.send_response(503 if ill else 200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass

server = http.server.ThreadingHTTPServer(("0.0.0.0", 8080), Handler)
print("serving", flush=True)
server.serve_forever()
"""


class Machine(msgspec.Struct, frozen=True):
    """A root in a network namespace."""

    name: str
    root: CleanRoot
    namespace: Namespace

    def prepare(self, packages: Path) -> None:
        """Put the packages at hand, and a resolver that only captured queries can do without."""
        shutil.copytree(packages, self.root.file("/root/packages"))
        self.root.write("/etc/resolv.conf", "nameserver 10.90.0.1\n")
        self.root.write("/etc/hosts", "127.0.0.1 localhost\n")
        self.root.write("/srv/app.py", _SERVER)

    def argv(self, *command: str, user: str = "root") -> tuple[str, ...]:
        """A command as it is run there."""
        return self.root.argv(*command, user=user, namespace=self.namespace.name)

    def run(self, *command: str, user: str = "root") -> str:
        """What a program says there that must succeed."""
        return self.root.run(*command, user=user, namespace=self.namespace.name)

    async def call(self, url: str) -> tuple[int, str]:
        """Status and body that the application gets for a URL."""
        command = ("curl", "-s", "--max-time", "5", "-w", "\n%{http_code}", url)
        argv = self.argv("sh", "-c", '"$@" || true', "-", *command, user=APPLICATION)
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        body, _, status = said.decode().rpartition("\n")
        return int(status), body

    async def endpoints(self, cluster: str) -> list[str] | None:
        """Addresses that its Envoy has for a cluster; None when Envoy does not say."""
        argv = self.argv("curl", "-s", "--max-time", "2", "http://127.0.0.1:15000/clusters?format=json")
        process = await asyncio.create_subprocess_exec(*argv, stdout=asyncio.subprocess.PIPE)
        said, _ = await process.communicate()
        if process.returncode:
            return None
        found = [
            host["address"]["socket_address"]["address"]
            for status in json.loads(said)["cluster_statuses"]
            if status["name"] == cluster
            for host in status.get("host_statuses", ())
        ]
        return sorted(found)

    @asynccontextmanager
    async def application(self) -> AsyncIterator[Program]:
        """Its application, at port 8080."""
        argv = self.argv(f"NAME={self.name}", "python3", "/srv/app.py", user=APPLICATION)
        async with program(f"application of {self.name}", argv, cwd=Path("/")) as running:
            await running.said("serving")
            yield running

    @asynccontextmanager
    async def as_init(self) -> AsyncIterator[Program]:
        """The unit's service, started and stopped as systemd would."""
        unit = parse_unit(self.root.file(_UNIT).read_text(encoding="utf-8"))
        assert unit.directory == "/"
        for command in unit.start_pre:
            self.run(*command.argv, user=command.user)
        argv = self.argv(*unit.start.argv, user=unit.start.user)
        try:
            async with program(f"agent of {self.name}", argv, cwd=Path("/")) as running:
                yield running
        finally:
            for command in unit.stop_post:
                self.run(*command.argv, user=command.user)

    @asynccontextmanager
    async def as_pod(self, *, account: str, token: str, root_cert: bytes, istiod: str) -> AsyncIterator[Program]:
        """What an injected pod has: rules made by an init container, files mounted, the agent with its user."""
        self.root.write("/etc/istio/pod/labels", f'app="{self.name}"\n')
        self.root.write("/run/secrets/tokens/istio-token", token)
        self.root.write("/run/secrets/istio/root-cert.pem", root_cert.decode())
        self.root.write("/etc/hosts", f"127.0.0.1 localhost\n{istiod} istiod.istio-system.svc\n")
        self.run("install", "-d", "-o", str(_PROXY), "/etc/istio/proxy", "/var/run/secrets/workload-spiffe-uds")
        ports = ("-p", "15001", "-z", "15006", "-b", "*", "-d", "15090,15021,15020")
        self.run("pilot-agent", "istio-iptables", *ports, "-u", str(_PROXY), "-i", "*", "--redirect-dns")
        environ = self._pod_environment(account)
        argv = self.argv(
            *(f"{k}={v}" for k, v in environ.items()), "pilot-agent", "proxy", "sidecar", user=f"{_PROXY}:{_PROXY}"
        )
        async with program(f"agent of {self.name}", argv, cwd=Path("/")) as running:
            yield running

    def _pod_environment(self, account: str) -> Mapping[str, str]:
        addresses = json.loads(self.run("ip", "-j", "-4", "addr", "show", "eth0"))
        return {
            "PATH": "/usr/bin:/bin:/usr/lib/pilot-agent/bin",
            "INSTANCE_IP": addresses[0]["addr_info"][0]["local"],
            "POD_NAME": f"{self.name}-0",
            "POD_NAMESPACE": "shop",
            "SERVICE_ACCOUNT": account,
            "ISTIO_META_CLUSTER_ID": "Kubernetes",
            "ISTIO_META_DNS_CAPTURE": "true",
        }
