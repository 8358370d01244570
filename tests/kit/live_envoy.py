"""A real Envoy on loopback, with what was rendered as its static configuration and secrets from files."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.kit.mesh_ca import MeshCa, Pair
from tests.kit.prerequisites import envoy_binary

__all__ = ["live_envoy", "with_local_secrets"]

_TLS = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"
_START_LIMIT_S = 20.0


def with_local_secrets(document: Any, folder: Path, ca: MeshCa, pair: Pair) -> Any:
    """The document with every SDS reference to the agent's socket pointed at files of these certificates."""
    secrets = {
        "default": {
            "tls_certificate": {
                "certificate_chain": {"inline_string": pair.chain.decode()},
                "private_key": {"inline_string": pair.key.decode()},
            }
        },
        "ROOTCA": {"validation_context": {"trusted_ca": {"inline_string": ca.root_pem.decode()}}},
    }
    for name, secret in secrets.items():
        resource = {"@type": _TLS, "name": name, **secret}
        (folder / f"{name}.json").write_text(json.dumps({"resources": [resource]}), encoding="utf-8")
    return _pointed_at(document, folder)


def _pointed_at(value: Any, folder: Path) -> Any:
    if isinstance(value, Mapping):
        if "sdsConfig" in value:
            path = str(folder / f"{value['name']}.json")
            return {
                "name": value["name"],
                "sdsConfig": {"pathConfigSource": {"path": path}, "resourceApiVersion": "V3"},
            }
        return {key: _pointed_at(item, folder) for key, item in value.items()}
    return [_pointed_at(item, folder) for item in value] if isinstance(value, list) else value


@contextlib.contextmanager
def live_envoy(folder: Path, document: Mapping[str, Any]) -> Iterator[str]:
    """Run Envoy until the block ends; gives the address of its admin interface.

    Raises:
        AssertionError: it does not get ready; with the end of its log.
    """
    admin = folder / "admin-address"
    config = folder / "live.json"
    port = {"address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}}}
    node = {"id": "sidecar~127.0.0.1~live.default~default.svc.cluster.local", "cluster": "live"}
    config.write_text(json.dumps({"node": node, **document, "admin": port}), encoding="utf-8")
    command = [str(envoy_binary()), "-c", str(config), "--use-dynamic-base-id", "--concurrency", "1"]
    command += ["--log-level", "warning", "--admin-address-path", str(admin)]
    with (folder / "envoy.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield _ready(process, admin, folder / "envoy.log")
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _ready(process: subprocess.Popen[bytes], admin: Path, log: Path) -> str:
    deadline = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < deadline and process.poll() is None:
        if admin.exists() and (address := admin.read_text(encoding="utf-8").strip()):
            with contextlib.suppress(urllib.error.URLError, ConnectionError):
                urllib.request.urlopen(f"http://{address}/ready", timeout=2).close()
                return address
        time.sleep(0.02)  # Envoy tells nobody; the file and the port are all there is to look at
    raise AssertionError(f"Envoy is not ready (exit code {process.poll()}):\n{log.read_text(errors='replace')[-3000:]}")
