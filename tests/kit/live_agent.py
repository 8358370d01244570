"""A real ``pilot-agent`` with a real Envoy, as a process of its own on free loopback ports."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from discovery.runtime.http import Response
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from discovery.runtime.process import Output, Process, ProcessSpec
from discovery.runtime.process_lifecycle import Exit
from discovery.wire import type_urls
from tests.kit.fake_istiod import FakeStream, delta_response
from tests.kit.free_ports import free_ports

__all__ = ["LiveAgent", "configure_envoy", "live_agent"]

_ROOT: Final = Path(__file__).resolve().parents[2]
_NAMES: Final = ("proxyAdminPort", "statusPort", "ENVOY_STATUS_PORT", "ENVOY_PROMETHEUS_PORT")


class LiveAgent:
    """One running agent: its ports, what it said, and questions to its status server."""

    def __init__(
        self, process: Process, ports: Mapping[str, int], directory: Path, log: list[str], news: asyncio.Event
    ) -> None:
        self.process = process
        self.ports = ports
        self.directory = directory
        self.log = log
        self.news = news

    @property
    def text(self) -> str:
        """Everything said so far, by the agent and by Envoy."""
        return "\n".join(self.log)

    async def ask(self, path: str, *, method: str = "GET", port: str = "statusPort") -> Response:
        """One request to a port of the agent or its Envoy."""
        return await fetch(TcpTarget("127.0.0.1", self.ports[port]), path, method=method, timeout_s=10)

    async def until(
        self, path: str, status: int, *, starts: bytes = b"", port: str = "statusPort", timeout_s: float = 30
    ) -> Response:
        """Ask until the answer has this status, and its body starts so."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    try:
                        response = await self.ask(path, port=port)
                        if response.status == status and response.body.startswith(starts):
                            return response
                    except HttpClientError:
                        pass  # not there yet
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{path} did not give {status} {starts!r}; the agent said:\n{self.text}") from None

    async def envoy_pid(self) -> int:
        """The process id of its Envoy."""
        async with asyncio.timeout(30):
            return int((await self.said(r"Envoy started.*?pid=(\d+)"))[1])

    async def said(self, pattern: str) -> re.Match[str]:
        """The first match in what was said, once it was."""
        while True:
            match = re.search(pattern, self.text)
            if match is not None:
                return match
            self.news.clear()
            await self.news.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send the agent, not its Envoy, a signal."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)

    async def wait(self, *, timeout_s: float = 30) -> Exit:
        """How the agent ended."""
        try:
            async with asyncio.timeout(timeout_s):
                return await self.process.wait()
        except TimeoutError:
            raise AssertionError(f"the agent does not end; it said:\n{self.text}") from None


@asynccontextmanager
async def live_agent(
    directory: Path,
    discovery_address: str,
    *,
    config: Mapping[str, Any] | None = None,
    env: Mapping[str, str] | None = None,
    args: tuple[str, ...] = (),
    wrapper: tuple[str, ...] = (),
) -> AsyncIterator[LiveAgent]:
    """Run an agent in ``directory`` against a plaintext control plane; leaving ends it.

    ``wrapper``: a command that prepares its surroundings and then becomes what follows.
    """
    ports = dict(zip(_NAMES, free_ports(len(_NAMES)), strict=True))
    proxy_config = {
        "discoveryAddress": discovery_address,
        "controlPlaneAuthPolicy": "NONE",
        "proxyAdminPort": ports["proxyAdminPort"],
        "statusPort": ports["statusPort"],
        "terminationDrainDuration": "0.2s",
        **(config or {}),
    }
    environ = {
        **{name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")},  # noqa: TID251
        "PYTHONPATH": str(_ROOT),
        "INSTANCE_IP": "127.0.0.1",
        "POD_NAME": "web-0",
        "POD_NAMESPACE": "shop",
        "SERVICE_ACCOUNT": "web",
        "ISTIO_META_INTERCEPTION_MODE": "NONE",
        "ENVOY_STATUS_PORT": str(ports["ENVOY_STATUS_PORT"]),
        "ENVOY_PROMETHEUS_PORT": str(ports["ENVOY_PROMETHEUS_PORT"]),
        "PROXY_CONFIG": json.dumps(proxy_config),
        **(env or {}),
    }
    argv = (*wrapper, sys.executable, "-m", "agent", "proxy", "sidecar", "--concurrency", "1", *args)
    log: list[str] = []
    spec = ProcessSpec(name="pilot-agent", argv=argv, env=environ, cwd=str(directory), output=Output.LINES, grace_s=10)
    news = asyncio.Event()

    def on_line(_stream: str, line: bytes) -> None:
        log.append(line.decode("utf-8", "replace"))
        news.set()

    process = Process(spec, sink=on_line)
    async with process:
        yield LiveAgent(process, ports, directory, log, news)


async def configure_envoy(stream: FakeStream) -> None:
    """Answer an Envoy's first questions over delta ADS with nothing at all: that too is a configuration.

    In whichever order they come: an Envoy that was connected before may ask for listeners first.
    """
    unanswered = {type_urls.CLUSTER, type_urls.LISTENER}
    while unanswered:
        asked = (await stream.read()).type_url
        if asked in unanswered:  # otherwise an acknowledgement
            unanswered.remove(asked)
            await stream.write(delta_response(asked, nonce=asked))
