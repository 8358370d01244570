"""Probes as a kubelet makes them: what is asked (from the node, over the pod's address), and what answers amount to.

Spec: https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import Final

import aiohttp
import grpc
import grpc.aio
import msgspec

from tests.kube.kubelet.environment import Json
from tests.kube.kubelet.process import ContainerProcess

__all__ = ["Probe", "ProbeTally", "Verdict", "ask_once", "named_port", "parse_probe", "run_handler"]

_SERVING: Final = b"\x08\x01"  # a HealthCheckResponse with status SERVING
_USER_AGENT: Final = "kube-probe/1.36"


class Verdict(StrEnum):
    """What the answers so far amount to."""

    UNDECIDED = "undecided"
    SUCCESS = "success"
    FAILURE = "failure"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A probe with the defaults of the API."""

    handler: Json
    initial_delay_s: float
    period_s: float
    timeout_s: float
    success_threshold: int
    failure_threshold: int
    grace_s: int | None


def parse_probe(written: Json | None) -> Probe | None:
    """A probe of a manifest."""
    if written is None:
        return None
    return Probe(
        handler=written,
        initial_delay_s=written.get("initialDelaySeconds") or 0,
        period_s=written.get("periodSeconds") or 10,
        timeout_s=written.get("timeoutSeconds") or 1,
        success_threshold=written.get("successThreshold") or 1,
        failure_threshold=written.get("failureThreshold") or 3,
        grace_s=written.get("terminationGracePeriodSeconds"),
    )


class ProbeTally:
    """Counts equal answers in a row; the verdict changes only at a threshold."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._last: bool | None = None
        self._row = 0
        self.verdict = Verdict.UNDECIDED

    def add(self, *, good: bool) -> Verdict:
        """Take an answer; the verdict after it."""
        self._row = self._row + 1 if good == self._last else 1
        self._last = good
        if self._row >= (self._probe.success_threshold if good else self._probe.failure_threshold):
            self.verdict = Verdict.SUCCESS if good else Verdict.FAILURE
        return self.verdict


def named_port(container: Json, port: int | str) -> int:
    """A port by number, or by its name among the container's."""
    if isinstance(port, int) or port.isdigit():
        return int(port)
    return next((entry["containerPort"] for entry in container.get("ports") or () if entry.get("name") == port), 0)


async def ask_once(
    probe: Probe, *, container: Json, ip: str, process: Callable[[], ContainerProcess | None]
) -> tuple[bool, str]:
    """Whether one question is answered well, and in which words not."""
    try:
        async with asyncio.timeout(probe.timeout_s):
            return await run_handler(
                probe.handler, container=container, ip=ip, process=process, timeout_s=probe.timeout_s
            )
    except TimeoutError:
        return False, f"no answer within {probe.timeout_s:g} s"


async def run_handler(
    handler: Json, *, container: Json, ip: str, process: Callable[[], ContainerProcess | None], timeout_s: float
) -> tuple[bool, str]:
    """Carry out a probe, or a lifecycle handler: `httpGet`, `tcpSocket`, `grpc`, `exec`, `sleep`."""
    if "exec" in handler:
        running = process()
        if running is None:
            return False, "not running"
        status, words = await running.execute(handler["exec"]["command"], timeout_s=timeout_s)
        return status == 0, words
    if "sleep" in handler:
        await asyncio.sleep(handler["sleep"]["seconds"])
        return True, ""
    asks: dict[str, Callable[[Json, Json, str], Awaitable[tuple[bool, str]]]] = {
        "httpGet": _http, "tcpSocket": _tcp, "grpc": _grpc,
    }  # fmt: skip
    for kind, ask in asks.items():
        if kind in handler:
            try:
                return await ask(handler[kind], container, ip)
            except (OSError, aiohttp.ClientError, grpc.aio.AioRpcError) as error:
                return False, f"{type(error).__name__}: {error}"
    return False, f"no handler that is known: {sorted(handler)}"


async def _http(action: Json, container: Json, ip: str) -> tuple[bool, str]:
    headers = {"User-Agent": _USER_AGENT, "Accept": "*/*", "Connection": "close"}
    headers |= {entry["name"]: entry["value"] for entry in action.get("httpHeaders") or ()}
    scheme = (action.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{action.get('host') or ip}:{named_port(container, action['port'])}{action.get('path') or '/'}"
    # A kubelet trusts whatever certificate it is shown.
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers, ssl=trust) as answer:
        words = (await answer.content.read(1024)).decode(errors="replace")
        return 200 <= answer.status < 400, f"{answer.status} {words}"


async def _tcp(action: Json, container: Json, ip: str) -> tuple[bool, str]:
    _, writer = await asyncio.open_connection(action.get("host") or ip, named_port(container, action["port"]))
    writer.close()
    return True, ""


async def _grpc(action: Json, container: Json, ip: str) -> tuple[bool, str]:
    name = (action.get("service") or "").encode()
    question = b"\x0a" + bytes([len(name)]) + name if name else b""
    async with grpc.aio.insecure_channel(f"{ip}:{named_port(container, action['port'])}") as channel:
        call = channel.unary_unary("/grpc.health.v1.Health/Check", request_serializer=None, response_deserializer=None)
        answer: bytes = await call(question)
    return answer.startswith(_SERVING), f"health {answer!r}"
