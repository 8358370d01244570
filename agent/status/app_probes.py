"""Kubelet's probes of the application, which come to the agent and go on from here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from agent.status.grpc_ask import ask_grpc
from agent.status.grpc_health import HealthError
from agent.status.probe_connection import connect
from agent.status.probe_http import HttpProber, ProbeFailedError, Target, choose_host, forwarded_headers
from agent.status.probers import GrpcProbe, HttpProbe, Probe, TcpProbe
from discovery.runtime.http import Request, Response
from discovery.runtime.logs import get_logger

__all__ = ["AppProbes"]

log = get_logger("probes")


class AppProbes:
    """Answers ``/app-health/...`` and ``/app-lifecycle/...``.

    Args:
        probes: by path.
        host: the application's address.
        status_port: ours, which kubelet names in ``Host``.
        prober: asks over HTTP.
    """

    def __init__(self, probes: Mapping[str, Probe], *, host: str, status_port: int, prober: HttpProber) -> None:
        self._probes = probes
        self._host = host
        self._status_port = status_port
        self._prober = prober

    async def answer(self, request: Request) -> Response:
        """What the application says; 500 when it cannot be asked or takes too long."""
        probe = self._probes.get(request.path)
        if probe is None:
            log.warning("unknown probe", path=request.path)
            return _refusal(400, f"app prober config does not exists for {request.path}")
        try:
            # Without a limit kubelet's own remains; only a gRPC check has to be told how long it may take.
            limit = probe.timeout_s or (0.0 if isinstance(probe, GrpcProbe) else None)
            async with asyncio.timeout(limit):
                return await self._ask(probe, request)
        except TimeoutError:
            return _failed(request.path, f"no answer within {probe.timeout_s:g} s")
        except (ProbeFailedError, HealthError) as error:
            return _failed(request.path, str(error))
        except OSError as error:
            return _failed(request.path, f"port {probe.port}: {error.strerror or error}")

    async def _ask(self, probe: Probe, request: Request) -> Response:
        match probe:
            case HttpProbe():
                return await self._ask_http(probe, request)
            case TcpProbe():
                _, writer = await connect(self._host, probe.port)
                writer.close()
            case GrpcProbe():
                await ask_grpc(self._host, probe.port, probe.service)
        return Response()

    async def _ask_http(self, probe: HttpProbe, request: Request) -> Response:
        authority = choose_host(request.header("host"), status_port=self._status_port, port=probe.port)
        target = Target(tls=probe.tls, host=self._host, port=probe.port, path=probe.path, authority=authority)
        found = await self._prober.ask(target, forwarded_headers(request))
        return Response(status=found.status, body=found.body, content_type=found.content_type or "text/plain")


def _refusal(status: int, text: str) -> Response:
    return Response(status=status, body=f"{text}\n".encode())


def _failed(path: str, reason: str) -> Response:
    log.warning("probe of the application failed", path=path, reason=reason)
    return _refusal(500, reason)
