"""A real Envoy on a real control plane, without an agent: a small bootstrap straight to the plaintext xDS port."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from tests.kit.live import LiveDiscovery, Program, program, until
from tests.kit.prerequisites import envoy_binary

__all__ = ["LiveProxy", "ProxyNode", "live_proxy", "service_node"]

_HTTP2: Final = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


class ProxyNode(msgspec.Struct, frozen=True, kw_only=True):
    """Who an Envoy says that it is."""

    name: str = "web-0"
    namespace: str = "default"
    ip: str = "127.0.0.1"
    labels: Mapping[str, str] = {}
    interception: str = "NONE"
    metadata: Mapping[str, Any] = {}

    def to_data(self) -> dict[str, Any]:
        """The node of a bootstrap."""
        return {
            "id": f"sidecar~{self.ip}~{self.name}.{self.namespace}~{self.namespace}.svc.cluster.local",
            "cluster": f"{self.name}.{self.namespace}",
            "metadata": {
                "NAMESPACE": self.namespace,
                "NAME": self.name,
                "CLUSTER_ID": "Kubernetes",
                "ISTIO_VERSION": "1.30.0",
                "INSTANCE_IPS": self.ip,
                "INTERCEPTION_MODE": self.interception,
                "LABELS": dict(self.labels),
                **self.metadata,
            },
        }


def service_node(app: str, *, namespace: str = "default", ip: str = "127.0.0.1", **labels: str) -> ProxyNode:
    """A sidecar of an application."""
    return ProxyNode(name=f"{app}-0", namespace=namespace, ip=ip, labels={"app": app, **labels})


class LiveProxy:
    """A running Envoy and questions to its administration interface."""

    def __init__(self, running: Program, admin: TcpTarget, node: ProxyNode) -> None:
        self.program = running
        self.node = node
        self._admin = admin

    @property
    def id(self) -> str:
        """What the debug endpoints call it."""
        return f"{self.node.name}.{self.node.namespace}"

    async def ask(self, path: str, *, method: str = "GET") -> bytes:
        """One question; the body of the answer."""
        response = await fetch(self._admin, path, method=method, timeout_s=10)
        return response.body

    async def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match a regular expression, those never touched left out."""
        body = await self.ask(f"/stats?usedonly&filter={pattern}")
        rows = (line.rpartition(": ") for line in body.decode().splitlines())
        return {name: int(value) for name, _, value in rows if value.isdecimal()}

    async def rejected(self) -> dict[str, int]:
        """What it did not take, by kind; empty is good."""
        return {name: value for name, value in (await self.stats("update_rejected$")).items() if value}

    async def config(self) -> list[dict[str, Any]]:
        """Its own ``/config_dump``, endpoints too."""
        configs: list[dict[str, Any]] = json.loads(await self.ask("/config_dump?include_eds"))["configs"]
        return configs

    async def cluster(self, name: str) -> dict[str, Any]:
        """One cluster as it is in force, in Envoy's JSON; empty while there is none."""
        query = "/config_dump?resource=dynamic_active_clusters&name_regex=" + quote(f"^{re.escape(name)}$")
        found = json.loads(await self.ask(query)).get("configs", [])
        return found[0]["cluster"] if found else {}

    async def live(self) -> bool:
        """Whether it has taken its first configuration and warms nothing."""
        try:
            ready = (await fetch(self._admin, "/ready", timeout_s=5)).status == 200
        except HttpClientError:
            return False
        warming = await self.stats(r"(listener_manager\.total_listeners|cluster_manager\.clusters)_warming$")
        warming |= await self.stats(r"cluster_manager\.warming_clusters$")
        return ready and not any(warming.values())

    async def until_live(self) -> None:
        """Return once it serves."""
        await until(self.live, lambda: f"{self.id} ready; it said:\n{self.program.text}")

    async def until_listening(self, name_part: str) -> None:
        """Return once a listener whose name has this part is active."""

        async def active() -> bool:
            return name_part in (await self.ask("/listeners")).decode()

        await until(active, lambda: f"listener {name_part} of {self.id}; it said:\n{self.program.text}")


def _static_cluster(name: str, address: Mapping[str, Any]) -> dict[str, Any]:
    endpoint = {"lb_endpoints": [{"endpoint": {"address": address}}]}
    return {
        "name": name,
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": _HTTP2,
        "load_assignment": {"cluster_name": name, "endpoints": [endpoint]},
    }


def _bootstrap(node: ProxyNode, xds_port: int, sds_socket: Path, *, delta: bool) -> dict[str, Any]:
    ads = {"ads": {}, "resource_api_version": "V3", "initial_fetch_timeout": "0s"}
    return {
        "node": node.to_data(),
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if delta else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [
                    {
                        "envoy_grpc": {
                            "cluster_name": "xds-grpc",
                            "retry_policy": {
                                "retry_back_off": {"base_interval": "0.1s", "max_interval": "0.3s"},
                            },
                        }
                    }
                ],
            },
            "cds_config": ads,
            "lds_config": ads,
        },
        "static_resources": {
            "clusters": [
                _static_cluster("xds-grpc", {"socket_address": {"address": "127.0.0.1", "port_value": xds_port}}),
                _static_cluster("sds-grpc", {"pipe": {"path": str(sds_socket)}}),
            ]
        },
    }


@asynccontextmanager
async def live_proxy(
    directory: Path, discovery: LiveDiscovery, node: ProxyNode, *, delta: bool = True, sds: Path | None = None
) -> AsyncIterator[LiveProxy]:
    """Run an Envoy in a directory of its own; leaving ends it.

    Args:
        directory: where to make that directory.
        sds: a socket that secrets are served at, if there are any.
    """
    place = directory / f"{node.name}-{'delta' if delta else 'sotw'}"
    place.mkdir()
    document = _bootstrap(node, discovery.grpc, sds or place / "sds", delta=delta)
    (place / "bootstrap.json").write_text(json.dumps(document), encoding="utf-8")
    argv = (
        *(str(envoy_binary()), "-c", "bootstrap.json", "--use-dynamic-base-id", "--concurrency", "1"),
        *("--log-level", "warning", "--admin-address-path", "admin", "--drain-time-s", "1"),
        *("--drain-strategy", "immediate", "--skip-deprecated-logs"),
    )
    async with program("envoy", argv, cwd=place) as running:
        admin = place / "admin"
        text = await until(
            lambda: running.process.exit is not None or (admin.exists() and admin.read_text(encoding="ascii").strip()),
            lambda: f"Envoy's admin address; it said:\n{running.text}",
        )
        assert isinstance(text, str), f"Envoy ended at once; it said:\n{running.text}"
        host, _, port = text.rpartition(":")
        yield LiveProxy(running, TcpTarget(host, int(port)), node)
