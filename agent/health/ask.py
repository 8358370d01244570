"""Carries out one probe of the application, past the sidecar."""

from __future__ import annotations

import asyncio
import os
import signal
from asyncio.subprocess import DEVNULL, PIPE

from agent.health.probe import Check, ExecCheck, GrpcCheck, HttpCheck, Probe, TcpCheck
from agent.status.grpc_ask import ask_grpc
from agent.status.grpc_health import HealthError
from agent.status.probe_connection import connect
from agent.status.probe_http import HttpProber, ProbeFailedError, Target

__all__ = ["ask"]

_USER_AGENT = ("user-agent", "istio-probe/1.0")
_SHOWN_BYTES = 200


class _FailedError(Exception):
    """The application is not well; the text says how."""


async def ask(probe: Probe, *, address: str) -> str:
    """Why the application is not well; empty when it is.

    Args:
        probe: what to ask.
        address: where it is, unless the probe names a host.
    """
    try:
        async with asyncio.timeout(probe.timeout_s):
            await _ask(probe.check, address)
    except TimeoutError:
        return f"{_told(probe.check, address)}: no answer within {probe.timeout_s:g} s"
    except (_FailedError, ProbeFailedError) as error:
        return str(error)
    except HealthError as error:
        return f"{_told(probe.check, address)}: {error}"
    except OSError as error:
        return f"{_told(probe.check, address)}: {os.strerror(error.errno) if error.errno else error}"
    return ""


async def _ask(check: Check, address: str) -> None:
    match check:
        case HttpCheck():
            await _ask_http(check, check.host or address)
        case TcpCheck():
            _, writer = await connect(check.host or address, check.port)
            writer.close()
        case GrpcCheck():
            await ask_grpc(address, check.port, check.service)
        case ExecCheck():
            await _execute(check)


async def _ask_http(check: HttpCheck, host: str) -> None:
    own = f"[{host}]:{check.port}" if ":" in host else f"{host}:{check.port}"
    headers = dict(check.headers)
    authority = headers.pop("host", own)
    target = Target(tls=check.tls, host=host, port=check.port, path=check.path, authority=authority)
    found = await HttpProber().ask(target, tuple({_USER_AGENT[0]: _USER_AGENT[1], **headers}.items()))
    if not 200 <= found.status < 400:
        raise _FailedError(f"GET {target.url}: status {found.status}, want 200 to 399")


async def _execute(check: ExecCheck) -> None:
    # A session of its own: whatever the command started goes with it when it takes too long.
    process = await asyncio.create_subprocess_exec(
        *check.command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, start_new_session=True
    )
    try:
        _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            await _kill(process)
    if process.returncode:
        said = errors[:_SHOWN_BYTES].decode("utf-8", "replace").strip()
        raise _FailedError(f"{check.command[0]}: status {process.returncode}{': ' if said else ''}{said}")


async def _kill(process: asyncio.subprocess.Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    await process.wait()


def _told(check: Check, address: str) -> str:
    match check:
        case ExecCheck():
            return check.command[0]
        case GrpcCheck():
            return f"gRPC health at {address}:{check.port}"
        case TcpCheck():
            return f"TCP {check.host or address}:{check.port}"
        case HttpCheck():
            return f"GET {check.path} of {check.host or address}:{check.port}"
