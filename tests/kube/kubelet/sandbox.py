"""A pod's namespaces: network, host name and IPC, held by a process that does nothing, and joined to the node.

The node routes: each pod has a cable of its own to it, so whatever goes from pod to pod passes the node's rules, and
cluster IPs work without a bridge. When the holder ends, the kernel removes namespace and cable.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from discovery.runtime.process import Output, Process, ProcessSpec
from tests.kube.kubelet.process import run_command

__all__ = ["Sandbox", "SandboxError", "start_sandbox"]

_GATEWAY: Final = "169.254.1.1"
_PAUSE_S: Final = 0.002
_WITHIN_S: Final = 20.0


class SandboxError(RuntimeError):
    """The kernel does not let us; the text says what was tried."""


class Sandbox(msgspec.Struct, frozen=True, kw_only=True):
    """A running one."""

    ip: str
    holder: Process
    interface: str

    @property
    def pid(self) -> int:
        """Of the holder."""
        assert self.holder.pid is not None
        return self.holder.pid

    async def stop(self) -> None:
        """Remove it."""
        self.holder.kill()
        await self.holder.wait()
        # The kernel removes the cable some time after its last user; its name is wanted back now.
        await run_command(["ip", "link", "delete", self.interface], timeout_s=10)


async def start_sandbox(
    *, host_name: str, ip: str, interface: str, node_ip: str, sysctls: Mapping[str, str]
) -> Sandbox:
    """Make the namespaces of a pod and join them to ours.

    Raises:
        SandboxError: a step failed.
    """
    argv = ("unshare", "--net", "--uts", "--ipc", "sleep", "infinity")
    holder = Process(ProcessSpec(name="pause", argv=argv, output=Output.DISCARD, grace_s=0))
    await holder.start()
    sandbox = Sandbox(ip=ip, holder=holder, interface=interface)
    try:
        await _unshared(holder)
        await _run("sh", "-ec", _cable(sandbox, node_ip))
        inside = ["nsenter", f"--net=/proc/{sandbox.pid}/ns/net", f"--uts=/proc/{sandbox.pid}/ns/uts"]
        await _run(*inside, "sh", "-ec", _inside(host_name, ip, sysctls))
    except BaseException:
        holder.kill_now()
        raise
    return sandbox


async def _unshared(holder: Process) -> None:
    own = os.readlink("/proc/self/ns/ipc")
    async with asyncio.timeout(_WITHIN_S):
        while holder.exit is None:
            try:
                if os.readlink(f"/proc/{holder.pid}/ns/ipc") != own:  # the last of the three
                    return
            except OSError:
                pass
            await asyncio.sleep(_PAUSE_S)
    raise SandboxError(f"unshare --net --uts --ipc: {holder.exit}")


def _cable(sandbox: Sandbox, node_ip: str) -> str:
    name = sandbox.interface
    return f"""
ip link add {name} type veth peer name eth0 netns {sandbox.pid}
ip addr add {_GATEWAY}/32 dev {name}
ip link set {name} up
ip route add {sandbox.ip}/32 dev {name} src {node_ip}
"""


def _inside(host_name: str, ip: str, sysctls: Mapping[str, str]) -> str:
    # As container engines do: ports below 1024 need no rights inside a pod.
    settings = {"net.ipv4.ip_unprivileged_port_start": "0", **sysctls}
    lines = [f"echo {value} > /proc/sys/{name.replace('.', '/')}" for name, value in settings.items()]
    return f"""
hostname {host_name[:63]}
ip link set lo up
ip addr add {ip}/32 dev eth0
ip link set eth0 up
ip route add {_GATEWAY} dev eth0
ip route add default via {_GATEWAY}
""" + "\n".join(lines)


async def _run(*argv: str) -> None:
    status, words = await run_command(list(argv), timeout_s=_WITHIN_S)
    if status != 0:
        raise SandboxError(f"{' '.join(argv)}: {words}")


def write_name_service(
    directory: Path, *, host_name: str, ip: str, namespace: str, dns_server: str
) -> tuple[Path, Path]:
    """The pod's `resolv.conf` and `hosts`."""
    directory.mkdir(parents=True, exist_ok=True)
    resolv_conf, hosts = directory / "resolv.conf", directory / "hosts"
    searched = f"{namespace}.svc.cluster.local svc.cluster.local cluster.local"
    resolv_conf.write_text(f"search {searched}\nnameserver {dns_server}\noptions ndots:5\n", encoding="utf-8")
    hosts.write_text(f"127.0.0.1 localhost\n::1 localhost\n{ip} {host_name}\n", encoding="utf-8")
    return resolv_conf, hosts
