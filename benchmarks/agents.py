"""A real ``pilot-agent`` with its Envoy beside the server under test, with what a cluster would mount for it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Self

from benchmarks.accounting import Usage, usage
from benchmarks.processes import Process, Server, free_ports
from discovery.auth.dev_issuer import DevIssuer

__all__ = ["Agent"]

_NAMESPACE, _ACCOUNT = "bench", "probe"
_PASSED_ON = ("PATH", "PYTHONPATH", "HOME", "LANG")


class Agent(Process):
    """Started when the context is entered, and ready then; ``directory`` stands for the root of its pod."""

    def __init__(
        self, server: Server, directory: Path, log: Path, *, told: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """``told``: further environment."""
        self._ports = free_ports("admin", "status", "envoy_status", "prometheus")
        self._directory = directory
        self._state = server.state
        self.ready_after_s = 0.0
        config = {
            "discoveryAddress": server.secure_address,
            "statusPort": self._ports["status"],
            "proxyAdminPort": self._ports["admin"],
            "terminationDrainDuration": "0s",
        }
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}  # noqa: TID251 - passed on
        environment |= {
            "POD_NAME": "probe",
            "POD_NAMESPACE": _NAMESPACE,
            "SERVICE_ACCOUNT": _ACCOUNT,
            "INSTANCE_IP": "127.0.0.1",
            "PROXY_CONFIG": json.dumps(config),
            "ISTIOD_SAN": "istiod.istio-system.svc",
            "ENVOY_STATUS_PORT": str(self._ports["envoy_status"]),
            "ENVOY_PROMETHEUS_PORT": str(self._ports["prometheus"]),
            "ECC_SIGNATURE_ALGORITHM": "ECDSA",
            "ISTIO_META_CLUSTER_ID": "Kubernetes",
            "ISTIO_META_INTERCEPTION_MODE": "NONE",
            **told,
        }
        arguments = (sys.executable, "-m", "agent", "proxy", "sidecar", "--concurrency=1")
        super().__init__(arguments, log, cwd=directory, environment=environment)

    @property
    def status_port(self) -> int:
        """Of the agent."""
        return self._ports["status"]

    @property
    def prometheus_port(self) -> int:
        """Of Envoy."""
        return self._ports["prometheus"]

    async def __aenter__(self) -> Self:
        self._mount()
        started_at = time.monotonic()
        await super().__aenter__()
        try:
            await self.wait_for(f"http://127.0.0.1:{self._ports['status']}/healthz/ready")
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        self.ready_after_s = time.monotonic() - started_at
        return self

    def own_usage(self) -> Usage:
        """Of the agent alone, without its Envoy."""
        return usage(self.process.pid, children=False)

    def _mount(self) -> None:
        """Labels, the mesh's root and a token."""
        for name in ("etc/istio/pod", "var/run/secrets/istio", "var/run/secrets/tokens"):
            (self._directory / name).mkdir(parents=True)
        (self._directory / "etc/istio/pod/labels").write_text('app="probe"\n')
        root = (self._state / "ca" / "root-cert.pem").read_bytes()
        (self._directory / "var/run/secrets/istio/root-cert.pem").write_bytes(root)
        issuer = DevIssuer.open(self._state / "tokens")
        token = issuer.issue(_NAMESPACE, _ACCOUNT, now=datetime.now(UTC))
        issuer.write_token(self._directory / "var/run/secrets/tokens/istio-token", token)
