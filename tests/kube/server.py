"""A real Kubernetes control plane for tests: etcd, kube-apiserver and kube-controller-manager, on loopback.

RBAC and node authorization are on, service account tokens are signed, admission plugins are the default ones and
`NodeRestriction`, every call is in an audit log. There is no node: pods stay pending, unless a test brings a kubelet.
"""

from __future__ import annotations

import json
import os
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from tests.kit.free_ports import free_ports
from tests.kit.kube_api.handle import ApiAddress
from tests.kube.credentials import CONTROLLER_MANAGER, Credentials, make_credentials
from tests.kube.launcher import Launcher, Running, wait_until
from tests.kube.programs import find_programs

__all__ = ["KUBERNETES_IP", "SERVICE_RANGE", "ControlPlane", "Place", "running_control_plane"]

SERVICE_RANGE: Final = "10.96.0.0/16"
KUBERNETES_IP: Final = "10.96.0.1"
"""Of the service `kubernetes`: the first one of the range."""
_AUDIT_POLICY: Final = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the programs run and are called.

    Attributes:
        prefix: put before each command, such as `ip netns exec NAME`.
        bind: what the API server listens on.
        address: where pods and nodes call it.
        nodes: names of the nodes that get a token.
        port: of the API server; 0 for any that is free.
        names: further addresses of its certificate.
        gates: feature gates of the API server, such as `WatchList=false`.
    """

    prefix: tuple[str, ...] = ()
    bind: str = "127.0.0.1"
    address: str = "127.0.0.1"
    nodes: tuple[str, ...] = ()
    port: int = 0
    names: tuple[str, ...] = ()
    gates: tuple[str, ...] = ()


class ControlPlane(msgspec.Struct, frozen=True, kw_only=True):
    """A running one.

    Attributes:
        audit_log: one JSON object per answered call, as `audit.k8s.io/v1` has it.
        logs: folder with a `NAME.log` of each program.
        kill_server: ends the API server by SIGKILL; its store and the controllers stay.
        start_server: starts it again, on the same port; it is ready when this returns.
    """

    address: ApiAddress
    credentials: Credentials
    programs: Mapping[str, Path]
    audit_log: Path
    logs: Path
    kill_server: Callable[[], None]
    start_server: Callable[[], None]

    def calls(self) -> list[dict[str, Any]]:
        """Every answered call so far, by its audit event."""
        lines = self.audit_log.read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]  # the last may be half written

    def rights_used(self, user: str) -> set[tuple[str, str, str]]:
        """What a user has needed to do what it did: API group, resource (with its subresource) and verb."""
        used = set()
        for call in self.calls():
            about = call.get("objectRef")
            if call["user"].get("username") == user and about:
                resource = "/".join(about[key] for key in ("resource", "subresource") if about.get(key))
                used.add((about.get("apiGroup", ""), resource, call["verb"]))
        return used

    def refused(self, user: str) -> set[tuple[str, str]]:
        """Verb and path of what a user has no right to; what admission refuses (a dying namespace) is not that."""
        return {
            (call["verb"], call["requestURI"].partition("?")[0])
            for call in self.calls()
            if call["user"].get("username") == user
            and call.get("annotations", {}).get("authorization.k8s.io/decision") == "forbid"
        }


@contextmanager
def running_control_plane(
    environ: Mapping[str, str] | None = None, place: Place | None = None
) -> Iterator[ControlPlane]:
    """Start all of it, wait until it is ready, end it when the context ends.

    Raises:
        ProgramsError: a program is missing and cannot be built.
        AssertionError: a program ends or is not ready in time; the text holds the end of its log.
    """
    place = place or Place()
    programs = find_programs(os.environ if environ is None else environ)  # noqa: TID251 - a setting of the test session
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kube-")))
        (directory / "audit.yaml").write_text(_AUDIT_POLICY, encoding="utf-8")
        ports = _Ports(*free_ports(4))
        port = place.port or ports.api
        addresses = tuple(dict.fromkeys(("127.0.0.1", place.address, KUBERNETES_IP, *place.names)))
        credentials = make_credentials(directory, now=datetime.now(UTC), addresses=addresses, nodes=place.nodes)
        url = f"https://127.0.0.1:{port}"
        kubeconfig = credentials.kubeconfig("admin.kubeconfig", url, credentials.admin_token)
        credentials.kubeconfig(
            "controller-manager.kubeconfig", f"https://127.0.0.1:{port}", credentials.tokens[CONTROLLER_MANAGER]
        )
        launch = Launcher(directory, place.prefix, stack)
        etcd = launch("etcd", str(programs["etcd"]), *_etcd_arguments(directory, ports))
        command = (str(programs["kube-apiserver"]), *_server_arguments(directory, place, ports, port))
        ask = _Asker(url, credentials)
        servers: list[Running] = []

        def start_server() -> None:
            servers.append(launch("kube-apiserver", *command))
            wait_until(lambda: ask("/readyz") == "ok", etcd, servers[-1])

        def kill_server() -> None:
            servers[-1].process.kill()
            servers[-1].process.wait()

        start_server()
        manager = launch(
            "kube-controller-manager", str(programs["kube-controller-manager"]), *_manager_arguments(directory, ports)
        )
        wait_until(lambda: "kube-root-ca.crt" in ask("/api/v1/namespaces/default/configmaps"), manager)
        version = json.loads(ask("/version"))["gitVersion"]
        address = ApiAddress(
            url=url,
            kubeconfig=kubeconfig,
            ca_pem=credentials.ca_pem,
            admin_token=credentials.admin_token,
            version=version,
        )
        yield ControlPlane(
            address=address,
            credentials=credentials,
            programs=programs,
            audit_log=directory / "audit.log",
            logs=directory,
            kill_server=kill_server,
            start_server=start_server,
        )


class _Ports(msgspec.Struct, frozen=True):
    etcd: int
    etcd_peer: int
    api: int
    manager: int


def _etcd_arguments(directory: Path, ports: _Ports) -> list[str]:
    client, peer = f"http://127.0.0.1:{ports.etcd}", f"http://127.0.0.1:{ports.etcd_peer}"
    return [
        f"--data-dir={directory / 'etcd'}",
        "--unsafe-no-fsync",  # the data need not survive the machine
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--log-level=warn",
    ]


def _server_arguments(directory: Path, place: Place, ports: _Ports, port: int) -> list[str]:
    file = directory.__truediv__
    return [
        f"--etcd-servers=http://127.0.0.1:{ports.etcd}",
        f"--bind-address={place.bind}",
        f"--advertise-address={place.address}",
        f"--secure-port={port}",
        f"--tls-cert-file={file('serving.pem')}",
        f"--tls-private-key-file={file('serving.key')}",
        f"--token-auth-file={file('tokens.csv')}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={file('accounts.pub')}",
        f"--service-account-signing-key-file={file('accounts.key')}",
        # A loopback address may not be an endpoint, so without a node the service `kubernetes` leads nowhere.
        *(["--endpoint-reconciler-type=none"] if place.address.startswith("127.") else []),
        "--enable-aggregator-routing=true",  # webhooks are called at their pods: nothing serves cluster IPs here
        f"--audit-policy-file={file('audit.yaml')}",
        f"--audit-log-path={file('audit.log')}",
        *([f"--feature-gates={','.join(place.gates)}"] if place.gates else []),
        "--audit-log-mode=blocking",  # what a test asks about is in the log when the answer is
        "--shutdown-delay-duration=0s",
        "--v=1",
    ]


def _manager_arguments(directory: Path, ports: _Ports) -> list[str]:
    return [
        f"--kubeconfig={directory / 'controller-manager.kubeconfig'}",
        f"--service-account-private-key-file={directory / 'accounts.key'}",
        f"--root-ca-file={directory / 'ca.pem'}",
        f"--cluster-signing-cert-file={directory / 'ca.pem'}",
        f"--cluster-signing-key-file={directory / 'ca.key'}",
        "--use-service-account-credentials",
        "--bind-address=127.0.0.1",
        f"--secure-port={ports.manager}",
        "--leader-elect=false",
        "--kube-api-qps=200",
        "--kube-api-burst=400",
        "--v=1",
    ]


class _Asker:
    """Asks the API server as its administrator; an empty text as long as it does not answer with success."""

    def __init__(self, url: str, credentials: Credentials) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {credentials.admin_token}"}
        self._tls = ssl.create_default_context(cadata=credentials.ca_pem.decode())

    def __call__(self, path: str) -> str:
        request = urllib.request.Request(self._url + path, headers=self._headers)
        try:
            with urllib.request.urlopen(request, timeout=5, context=self._tls) as answer:
                text: str = answer.read().decode()
                return text
        except (urllib.error.URLError, OSError):
            return ""
