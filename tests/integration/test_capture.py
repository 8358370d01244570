"""Capture with real packets: who gets a connection when the rules are in the kernel, and that they leave no trace."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from agent.capture.selftest import original_destination
from tests.kit.netns import PEER, POD, Namespace, arrival, joined_namespaces

_ROOT = Path(__file__).resolve().parents[2]
_APPLICATION, _PROXY = 1000, 1337
_SO_MARK = 36
_BACKENDS = {
    "iptables-nft": ("--force-iptables-binary=nft",),
    "iptables-legacy": ("--force-iptables-binary=legacy",),
    "nftables": ("--native-nftables",),
}
# As the injector writes them, for both families.
_INJECTED = (
    "-p",
    "15001",
    "-z",
    "15006",
    "-u",
    "1337",
    "-b",
    "*",
    "-d",
    "15090,15021,15020",
    "-i",
    "*",
    "--dual-stack",
)

pytestmark = pytest.mark.root


class Mesh(msgspec.Struct, frozen=True, kw_only=True):
    """A pod under capture and the world outside it."""

    pod: Namespace
    peer: Namespace
    backend: str
    stack: ExitStack

    def command(self, *flags: str, name: str = "istio-iptables") -> tuple[int, str]:
        """Status and errors of the real program, working in the pod."""
        where = ("--network-namespace", str(self.pod.path), *_BACKENDS[self.backend])
        environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(_ROOT)}  # noqa: TID251
        done = subprocess.run(
            [sys.executable, "-m", "agent", name, *where, *flags],
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stderr

    def capture(self, *flags: str) -> None:
        """Make the rules."""
        status, errors = self.command(*_INJECTED, *flags)
        assert status == 0, errors

    def keep(self, made: socket.socket) -> socket.socket:
        """Close it when the test ends."""
        return self.stack.enter_context(made)

    def listeners(self, **places: tuple[Namespace, str, int]) -> dict[str, socket.socket]:
        """Listeners by name."""
        return {name: self.keep(where.listen(host, port)) for name, (where, host, port) in places.items()}

    def rules(self) -> str:
        """All rules, routes and loopback addresses of the pod, without time stamps and counters of packets."""
        programs = [("nft", "-s", "list", "ruleset"), ("iptables-legacy-save",), ("ip6tables-legacy-save",)]
        programs += [("iptables-nft-save",), ("ip6tables-nft-save",)]
        programs += [("ip", family, "rule") for family in ("-4", "-6")] + [("ip", "addr", "show", "lo")]
        text = "".join(self.pod.run(*program) for program in programs)
        lines = [line.split(" [")[0] for line in text.splitlines() if not line.startswith("# ")]
        return "\n".join(lines)


@pytest.fixture(params=list(_BACKENDS))
def mesh(request: pytest.FixtureRequest) -> Iterator[Mesh]:
    """A fresh pod for each way of making rules."""
    with joined_namespaces() as (pod, peer), ExitStack() as stack:
        yield Mesh(pod=pod, peer=peer, backend=request.param, stack=stack)


def test_inbound_goes_to_the_proxy_except_excluded_ports(mesh: Mesh) -> None:
    """Every port ends at 15006, both families; the proxy's own ports and the tunnel's are served as ever."""
    mesh.capture()
    for ours, wild in ((POD.v4, "0.0.0.0"), (POD.v6, "::")):
        places = {f"port {port}": (mesh.pod, ours, port) for port in (8080, 15008, 15020)}
        listeners = mesh.listeners(proxy=(mesh.pod, wild, 15006), **places)
        for port, expected in ((8080, "proxy"), (15008, "port 15008"), (15020, "port 15020")):
            mesh.keep(mesh.peer.connect(ours, port))
            name, connection = arrival(listeners)
            mesh.keep(connection)
            assert name == expected
            if name == "proxy":
                assert original_destination(connection) == (ours, port)


def test_a_list_of_inbound_ports_is_all_that_is_captured(mesh: Mesh) -> None:
    """Others reach the application."""
    mesh.capture("-b", "8080,8081")
    places = {f"port {port}": (mesh.pod, POD.v4, port) for port in (8080, 8081, 8082)}
    listeners = mesh.listeners(proxy=(mesh.pod, "0.0.0.0", 15006), **places)
    for port, expected in ((8080, "proxy"), (8081, "proxy"), (8082, "port 8082")):
        mesh.keep(mesh.peer.connect(POD.v4, port))
        name, connection = arrival(listeners)
        mesh.keep(connection)
        assert name == expected


def test_outbound_goes_to_the_proxy_unless_the_proxy_sends_it(mesh: Mesh) -> None:
    """Both families; the kernel tells the proxy where the application wanted to go; user and group 1337 pass."""
    mesh.capture()
    for far, wild in ((PEER.v4, "0.0.0.0"), (PEER.v6, "::")):
        listeners = mesh.listeners(proxy=(mesh.pod, wild, 15001), far=(mesh.peer, far, 80))
        for uid, gid, expected in ((_APPLICATION, 0, "proxy"), (_PROXY, _PROXY, "far"), (_APPLICATION, _PROXY, "far")):
            mesh.keep(mesh.pod.connect(far, 80, uid=uid, gid=gid))
            name, connection = arrival(listeners)
            mesh.keep(connection)
            assert name == expected
            if name == "proxy":
                assert original_destination(connection) == (far, 80)


@pytest.mark.parametrize(
    ("flags", "far", "port", "gid", "expected"),
    [
        (("-o", "9000"), PEER.v4, 9000, 0, "far"),
        (("-o", "9000"), PEER.v4, 9001, 0, "proxy"),
        (("-x", "10.78.0.0/16"), PEER.second, 9000, 0, "far"),
        (("-x", "10.78.0.0/16"), PEER.v4, 9000, 0, "proxy"),
        (("-x", "fd77::/64"), PEER.v6, 9000, 0, "far"),
        (("-i", "10.78.0.0/16"), PEER.second, 9000, 0, "proxy"),
        (("-i", "10.78.0.0/16"), PEER.v4, 9000, 0, "far"),
        (("-i", "", "-q", "9000"), PEER.v4, 9000, 0, "proxy"),
        (("-i", "", "-q", "9000", "-x", "10.77.0.0/16"), PEER.v4, 9000, 0, "far"),
        (("-c", "eth1"), PEER.second, 9000, 0, "far"),
        (("-c", "eth1"), PEER.v4, 9000, 0, "proxy"),
    ],
)
@pytest.mark.parametrize("mesh", ["iptables-nft", "nftables"], indirect=True)
def test_outbound_selection(mesh: Mesh, flags: tuple[str, ...], far: str, port: int, gid: int, expected: str) -> None:
    """Ports, ranges and interfaces that are named are captured or left alone; an excluded range beats a port."""
    mesh.capture(*flags)
    wild = "::" if ":" in far else "0.0.0.0"
    listeners = mesh.listeners(proxy=(mesh.pod, wild, 15001), far=(mesh.peer, far, port))
    mesh.keep(mesh.pod.connect(far, port, uid=_APPLICATION, gid=gid))
    name, connection = arrival(listeners)
    mesh.keep(connection)
    assert name == expected


def test_loopback_is_left_alone_except_for_the_proxy_calling_its_own_pod(mesh: Mesh) -> None:
    """Applications talk over localhost and the pod's address; what Envoy sends to its pod ends at its inbound side."""
    mesh.capture()
    listeners = mesh.listeners(
        outbound=(mesh.pod, "0.0.0.0", 15001),
        inbound=(mesh.pod, "0.0.0.0", 15006),
        local=(mesh.pod, "127.0.0.1", 8080),
        pod=(mesh.pod, POD.v4, 8080),
    )
    cases = (
        ("127.0.0.1", _APPLICATION, "local"),
        (POD.v4, _APPLICATION, "pod"),
        ("127.0.0.1", _PROXY, "local"),
        (POD.v4, _PROXY, "inbound"),
    )
    for host, uid, expected in cases:
        mesh.keep(mesh.pod.connect(host, 8080, uid=uid, gid=uid))
        name, connection = arrival(listeners)
        mesh.keep(connection)
        assert (host, uid, name) == (host, uid, expected)


def test_dns_goes_to_the_agent_and_its_own_queries_to_the_server(mesh: Mesh) -> None:
    """Even when both use one source port: each gets its own answer, from the address that was asked."""
    mesh.capture("--redirect-dns", "--capture-all-dns")
    agent = mesh.keep(mesh.pod.listen("127.0.0.1", 15053, socket.SOCK_DGRAM, uid=_PROXY))
    server = mesh.keep(mesh.peer.listen(PEER.v4, 53, socket.SOCK_DGRAM))
    application = mesh.keep(mesh.pod.listen(POD.v4, 40000, socket.SOCK_DGRAM, uid=_APPLICATION))
    upstream = mesh.keep(mesh.pod.open(POD.v4, socket.SOCK_DGRAM, uid=_PROXY, gid=_PROXY))
    upstream.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    upstream.bind((POD.v4, 40000))

    application.sendto(b"query", (PEER.v4, 53))
    query, asker = agent.recvfrom(100)
    assert (query, asker) == (b"query", (POD.v4, 40000))
    upstream.sendto(b"forwarded", (PEER.v4, 53))
    forwarded, forwarder = server.recvfrom(100)
    assert forwarded == b"forwarded"
    server.sendto(b"from the server", forwarder)
    agent.sendto(b"from the agent", asker)
    # Both sockets have one address; whoever reads, what arrives must be both answers, from the server's address.
    arrived = {}
    for _ in range(2):
        for receiver in _readable(application, upstream):
            text, sender = receiver.recvfrom(100)
            arrived[text] = sender
        if len(arrived) == 2:
            break
    assert arrived == {b"from the server": (PEER.v4, 53), b"from the agent": (PEER.v4, 53)}


def _readable(*sockets: socket.socket) -> list[socket.socket]:
    return select.select(sockets, [], [], 3)[0]


def test_dns_over_tcp_and_what_is_not_dns(mesh: Mesh) -> None:
    """TCP queries go to the agent, other datagrams pass."""
    mesh.capture("--redirect-dns", "--capture-all-dns")
    listeners = mesh.listeners(agent=(mesh.pod, "0.0.0.0", 15053), server=(mesh.peer, PEER.v4, 53))
    for uid, expected in ((_APPLICATION, "agent"), (_PROXY, "server")):
        mesh.keep(mesh.pod.connect(PEER.v4, 53, uid=uid, gid=uid))
        name, connection = arrival(listeners)
        mesh.keep(connection)
        assert name == expected
    clock = mesh.keep(mesh.peer.listen(PEER.v4, 123, socket.SOCK_DGRAM))
    asker = mesh.keep(mesh.pod.open(PEER.v4, socket.SOCK_DGRAM, uid=_APPLICATION))
    asker.sendto(b"time?", (PEER.v4, 123))
    assert clock.recv(100) == b"time?"


def test_tproxy_keeps_the_clients_address_up_to_the_application(mesh: Mesh) -> None:
    """The proxy sees who calls whom without rewriting, calls the application in the client's name, and is answered."""
    mesh.capture("-m", "TPROXY")
    proxy = mesh.keep(mesh.pod.listen("0.0.0.0", 15006, transparent=True))
    application = mesh.keep(mesh.pod.listen(POD.v4, 8080))
    client = mesh.keep(mesh.peer.connect(POD.v4, 8080))
    name, inbound = arrival({"proxy": proxy, "application": application})
    mesh.keep(inbound)
    assert name == "proxy"
    assert inbound.getpeername() == client.getsockname()
    assert inbound.getsockname() == (POD.v4, 8080)

    onward = mesh.keep(mesh.pod.open(POD.v4, uid=0))
    onward.setsockopt(socket.SOL_IP, socket.IP_TRANSPARENT, 1)
    onward.setsockopt(socket.SOL_SOCKET, _SO_MARK, 1337)
    onward.bind((PEER.v4, 0))
    onward.connect((POD.v4, 8080))
    name, served = arrival({"application": application, "proxy": proxy})
    mesh.keep(served)
    assert name == "application"
    assert served.getpeername()[0] == PEER.v4
    served.sendall(b"answer")
    assert onward.recv(100) == b"answer"
    inbound.sendall(b"answer")
    assert client.recv(100) == b"answer"


def test_virtual_machines_of_a_pod_are_captured_as_outbound(mesh: Mesh) -> None:
    """What comes in by such an interface goes to the outbound port, whatever the inbound ports are."""
    mesh.capture("-k", "eth1")
    listeners = mesh.listeners(outbound=(mesh.pod, "0.0.0.0", 15001), inbound=(mesh.pod, "0.0.0.0", 15006))
    for address, expected in ((POD.second, "outbound"), (POD.v4, "inbound")):
        mesh.keep(mesh.peer.connect(address, 8080))
        name, connection = arrival(listeners)
        mesh.keep(connection)
        assert name == expected


@pytest.mark.parametrize("mode", ["REDIRECT", "TPROXY"])
def test_twice_changes_nothing_and_cleaning_leaves_no_trace(mesh: Mesh, mode: str) -> None:
    """Rules of others stay; all the rest, routes and addresses included, is byte for byte what it was."""
    flags = ("-m", mode, "--redirect-dns", "--capture-all-dns", "--drop-invalid", "-c", "eth7", "-k", "tap0")
    if mesh.backend == "nftables":
        mesh.pod.run("nft", "add", "table", "inet", "somebody")
    else:
        tool = "iptables-legacy" if mesh.backend == "iptables-legacy" else "iptables"
        mesh.pod.run(tool, "-t", "nat", "-A", "OUTPUT", "-d", "192.0.2.1/32", "-j", "RETURN")
    if mesh.backend == "iptables-legacy":  # this interface keeps a table for good once it was looked at
        for tool in ("iptables-legacy", "ip6tables-legacy"):
            for table in ("nat", "mangle", "raw"):
                mesh.pod.run(tool, "-t", table, "-S")
    before = mesh.rules()
    mesh.capture(*flags)
    once = mesh.rules()
    assert once != before
    mesh.capture(*flags)
    assert mesh.rules() == once
    status, errors = mesh.command("-c", "eth7", "-k", "tap0", name="istio-clean-iptables")
    assert (status, errors) == (0, "")
    assert mesh.rules() == before
    assert mesh.command("-c", "eth7", name="istio-clean-iptables")[0] == 0
    assert mesh.rules() == before


@pytest.mark.parametrize("mesh", ["iptables-nft", "iptables-legacy"], indirect=True)
def test_other_settings_are_refused_or_replaced(mesh: Mesh) -> None:
    """Status 1 and untouched rules without --reconcile; with it, rules as on a fresh host and no guards left."""
    mesh.capture("-b", "8080")
    wanted = mesh.rules()
    mesh.command(name="istio-clean-iptables")
    mesh.capture()
    there = mesh.rules()
    status, errors = mesh.command(*_INJECTED, "-b", "8080")
    assert status == 1
    assert "--reconcile replaces them" in errors
    assert mesh.rules() == there
    mesh.capture("-b", "8080", "--reconcile")
    listeners = mesh.listeners(proxy=(mesh.pod, "0.0.0.0", 15006), other=(mesh.pod, POD.v4, 8082))
    mesh.keep(mesh.peer.connect(POD.v4, 8082))
    assert arrival(listeners)[0] == "other"
    if mesh.backend == "iptables-nft":
        assert mesh.rules() == wanted
    assert "GUARD" not in mesh.rules()


def test_self_test_tells_captured_from_not(mesh: Mesh) -> None:
    """Status 126 without rules, 0 with them, in both families."""
    test = ("--run-validation", "--skip-rule-apply", "--probe-timeout", "300ms", "--dual-stack")
    status, errors = mesh.command(*test)
    assert status == 126
    assert "traffic is not captured" in errors
    mesh.capture()
    status, errors = mesh.command(*test)
    assert status == 0, errors


def test_a_restore_that_fails_leaves_nothing(mesh: Mesh) -> None:
    """A group that nobody has is found by the kernel's tool only; the other family's rules go, too."""
    before = mesh.rules()
    status, errors = mesh.command(*_INJECTED, "-m", "TPROXY", "-g", "no-such-group")
    assert status == 1
    assert "no-such-group" in errors
    assert _without_routes(mesh.rules()) == _without_routes(before)


def _without_routes(text: str) -> list[str]:
    """Of legacy tables only those that do something."""
    return [line for line in text.splitlines() if "ISTIO" in line or "istio" in line]
