"""A real Envoy whose whole configuration comes from an ADS server of ours, straight over plaintext."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from tests.kit.eventually import eventually
from tests.kit.prerequisites import envoy_binary

__all__ = ["AdsEnvoy", "ads_envoy"]

_ADS = {"resource_api_version": "V3", "ads": {}}
_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


class AdsEnvoy:
    """A running Envoy."""

    def __init__(self, admin: TcpTarget) -> None:
        self._admin = admin

    async def stats(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose name matches."""
        response = await fetch(self._admin, f"/stats?format=json&filter={pattern}", timeout_s=5)
        entries = json.loads(response.body)["stats"]
        return {entry["name"]: entry["value"] for entry in entries if "name" in entry}

    async def rejected(self) -> dict[str, int]:
        """``update_rejected`` that are not 0."""
        return {name: count for name, count in (await self.stats("update_rejected")).items() if count}

    async def get(self, port: int, host: str) -> str:
        """``<status> <body>`` of a request through one of its listeners; empty when there is no connection."""
        try:
            response = await fetch(TcpTarget("127.0.0.1", port, authority=host), "/", timeout_s=5)
        except HttpClientError:
            return ""
        return f"{response.status} {response.body.decode()}"


def _document(port: int, admin: Path, *, delta: bool) -> dict[str, Any]:
    cluster = {
        "name": "xds",
        "type": "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": _HTTP2,
        "load_assignment": {
            "cluster_name": "xds",
            "endpoints": [
                {
                    "lb_endpoints": [
                        {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
                    ]
                }
            ],
        },
    }
    return {
        "node": {
            "id": "sidecar~127.0.0.1~web-0.shop~shop.svc.cluster.local",
            "cluster": "web.shop",
            "metadata": {"NAMESPACE": "shop", "NAME": "web-0"},
        },
        "admin": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "DELTA_GRPC" if delta else "GRPC",
                "transport_api_version": "V3",
                "set_node_on_first_message_only": True,
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            },
            "cds_config": _ADS,
            "lds_config": _ADS,
        },
        "static_resources": {"clusters": [cluster]},
    }


@asynccontextmanager
async def ads_envoy(folder: Path, port: int, *, delta: bool) -> AsyncIterator[AdsEnvoy]:
    """Run Envoy against the ADS server at a port of loopback until the block ends."""
    admin = folder / "admin-address"
    config = folder / "bootstrap.json"
    config.write_text(json.dumps(_document(port, admin, delta=delta)), encoding="utf-8")
    arguments = ["-c", str(config), "--use-dynamic-base-id", "--concurrency", "1", "--log-level", "warning"]
    arguments += ["--admin-address-path", str(admin), "--drain-time-s", "1", "--parent-shutdown-time-s", "2"]
    with (folder / "envoy.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(str(envoy_binary()), *arguments, stdout=log, stderr=log)
    try:
        await eventually(lambda: admin.exists() and bool(admin.read_text(encoding="utf-8").strip()))
        host, _, number = admin.read_text(encoding="utf-8").strip().rpartition(":")
        yield AdsEnvoy(TcpTarget(host, int(number)))
    finally:
        process.terminate()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
