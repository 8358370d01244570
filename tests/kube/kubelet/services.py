"""Cluster IPs and cluster DNS of the node: what kube-proxy and CoreDNS do, for one node and IPv4."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable
from typing import Final, cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import msgspec

from tests.kube.kubelet.api import Api
from tests.kube.kubelet.environment import Json

__all__ = ["NameServer", "ServiceView", "render_rules", "resolve"]

_TABLE: Final = "test_kubelet_services"
_DOMAIN: Final = "cluster.local."
_TTL_S: Final = 5
_HEADLESS: Final = "None"


class ServiceView:
    """Services and their endpoints as they are now."""

    def __init__(self) -> None:
        self.services: dict[tuple[str, str], Json] = {}
        self.slices: dict[tuple[str, str], Json] = {}
        self.changed = asyncio.Event()

    async def follow(self, api: Api) -> None:
        """Stay up to date, for ever."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(api, "/api/v1/services", self.services))
            group.create_task(self._follow(api, "/apis/discovery.k8s.io/v1/endpointslices", self.slices))

    async def _follow(self, api: Api, path: str, held: dict[tuple[str, str], Json]) -> None:
        async for changes in api.follow(path, {}):
            for change in changes:
                metadata = change.item["metadata"]
                key = (metadata["namespace"], metadata["name"])
                held.pop(key, None)
                if not change.gone:
                    held[key] = change.item
            self.changed.set()

    def endpoints(self, namespace: str, name: str) -> list[tuple[Json, Json]]:
        """Ready endpoints of a service, each with the slice it is in."""
        label = "kubernetes.io/service-name"
        found = [
            (item, endpoint)
            for (there, _), item in sorted(self.slices.items())
            if there == namespace and item["metadata"].get("labels", {}).get(label) == name
            for endpoint in item.get("endpoints") or ()
            if item["addressType"] == "IPv4" and (endpoint.get("conditions") or {}).get("ready") is not False
        ]
        return sorted(found, key=lambda entry: str(entry[1]["addresses"]))


class _Target(msgspec.Struct, frozen=True, order=True):
    ip: str
    port: int


def render_rules(view: ServiceView) -> str:
    """Input of `nft -f`: each port of each cluster IP leads to a random ready endpoint."""
    rules = []
    for (namespace, name), service in sorted(view.services.items()):
        ip = service["spec"].get("clusterIP", "")
        if ip and ip != _HEADLESS:
            endpoints = view.endpoints(namespace, name)
            rules += [rule for port in service["spec"].get("ports") or () for rule in _rules(ip, port, endpoints)]
    body = "\n".join(f"    {rule}" for rule in rules)
    return f"""\
table ip {_TABLE}
delete table ip {_TABLE}
table ip {_TABLE} {{
  chain services {{
{body}
  }}
  chain from_pods {{ type nat hook prerouting priority dstnat; jump services; }}
  chain from_node {{ type nat hook output priority -100; jump services; }}
}}
"""


def _rules(ip: str, port: Json, endpoints: Iterable[tuple[Json, Json]]) -> list[str]:
    targets = sorted(
        {
            _Target(address, entry["port"])
            for item, endpoint in endpoints
            for entry in item.get("ports") or ()
            if (entry.get("name") or "") == (port.get("name") or "")
            for address in endpoint["addresses"]
        }
    )
    if not targets:
        return []
    listed = ", ".join(f"{number} : {target.ip} . {target.port}" for number, target in enumerate(targets))
    protocol = (port.get("protocol") or "TCP").lower()
    return [
        f"ip daddr {ip} {protocol} dport {port['port']} dnat ip to numgen random mod {len(targets)} map {{ {listed} }}"
    ]


def resolve(view: ServiceView, name: str) -> tuple[str, ...] | None:
    """Addresses of a name of the cluster; None where there is no such name."""
    words = name.lower().removesuffix("." + _DOMAIN).split(".") if name.lower().endswith("." + _DOMAIN) else []
    if len(words) not in (3, 4) or words[-1] != "svc":
        return None
    namespace, service_name = words[-2], words[-3]
    service = view.services.get((namespace, service_name))
    if service is None:
        return None
    ip = service["spec"].get("clusterIP", "")
    if len(words) == 3 and ip != _HEADLESS:
        return (ip,) if ip else ()
    chosen = [
        endpoint for _, endpoint in view.endpoints(namespace, service_name)
        if len(words) == 3 or endpoint.get("hostname") == words[0]
    ]  # fmt: skip
    return tuple(address for endpoint in chosen for address in endpoint["addresses"]) or None


class NameServer(asyncio.DatagramProtocol):
    """Answers questions about the cluster by UDP; there is no other world."""

    def __init__(self, view: ServiceView) -> None:
        self._view = view
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # it is one without being of that class

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        assert self._transport is not None
        self._transport.sendto(answer(self._view, query).to_wire(), addr)


def answer(view: ServiceView, query: dns.message.Message) -> dns.message.Message:
    """The answer to a question."""
    response = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    addresses = resolve(view, question.name.to_text())
    response.flags |= dns.flags.AA
    if addresses is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    elif addresses and question.rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(question.name, _TTL_S, "IN", "A", *addresses))
    return response


async def apply_rules(view: ServiceView) -> None:
    """Keep the kernel's rules as the view is, for ever.

    Raises:
        OSError: the kernel takes no such rules; the text says why.
    """
    written = ""
    while True:
        await view.changed.wait()
        view.changed.clear()
        rules = render_rules(view)
        if rules == written:
            continue
        nft = await asyncio.create_subprocess_exec(
            "nft", "-f", "-", stdin=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        _, errors = await nft.communicate(rules.encode())
        if nft.returncode != 0:
            raise OSError(f"nft: {errors.decode()}\n{rules}")
        written = rules


def bound_socket(address: str, port: int) -> socket.socket:
    """A datagram socket at an address of the node."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(0)
    made.bind((address, port))
    return made
