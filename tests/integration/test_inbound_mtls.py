"""Mutual TLS between what we render for callers and what we render for the called, carried by an unmodified Envoy.

One Envoy plays both sides: the caller's cluster leads to the inbound listener, whose cluster leads to an application
that answers with the headers it got. Only a chain that terminated the mesh's TLS tells the caller's identity.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from discovery.mesh.proxy import ProxyKey
from discovery.wire.envoy import HttpConnectionManager
from discovery.wire.node import InterceptionMode, NodeType
from tests.kit.envoy_types import to_dict
from tests.kit.free_ports import free_port
from tests.kit.live_envoy import live_envoy, with_local_secrets
from tests.kit.mesh_ca import MeshCa
from tests.kit.world import World

pytestmark = pytest.mark.envoy

CALLER = "spiffe://cluster.local/ns/default/sa/caller"


class _Echo(BaseHTTPRequestHandler):
    """Answers with the request's headers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent."""


@contextlib.contextmanager
def _application(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of an application that speaks HTTP/1.1, over TLS of its own if given."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as server:
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def application() -> Iterator[int]:
    """The port of an application that speaks HTTP/1.1."""
    with _application() as port:
        yield port


def _configuration(folder: Path, protocol: str, mode: str, application: int) -> tuple[dict[str, Any], int, int]:
    """A bootstrap with both sides, the port that callers dial, and the inbound port."""
    calls, inbound = free_port(), free_port()
    world = World(
        f"""
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {{name: default, namespace: default}}
spec:
  ingress:
  - bind: 127.0.0.1
    port: {{number: {inbound}, protocol: {protocol}, name: app}}
    defaultEndpoint: 127.0.0.1:{application}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: app, namespace: default}}
spec:
  hosts: [app.example]
  location: MESH_INTERNAL
  resolution: DNS
  ports: [{{number: {calls}, targetPort: {inbound}, protocol: {protocol}, name: app}}]
  endpoints: [{{address: localhost, labels: {{security.istio.io/tlsMode: istio}}}}]
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default, namespace: default}}
spec: {{mtls: {{mode: {mode}}}}}
""",
        proxy=ProxyKey(
            type=NodeType.SIDECAR, ips=("127.0.0.1",), namespace="default", interception=InterceptionMode.NONE
        ),
    )
    clusters = world.clusters()
    upstream = clusters[f"outbound|{calls}||app.example"]
    listeners = [to_dict(world.listeners()[f"127.0.0.1_{inbound}"]), _caller(calls, upstream.name, protocol)]
    own = to_dict(clusters[f"inbound|{inbound}||"])
    own.pop("typedExtensionProtocolOptions", None)  # the application here speaks HTTP/1.1, whatever the port declares
    served = [to_dict(upstream), own]
    document = {"static_resources": {"listeners": listeners, "clusters": served}}
    ca = MeshCa(datetime.now(UTC))
    return with_local_secrets(document, folder, ca, ca.pair(uri=CALLER)), calls, inbound


def _caller(port: int, cluster: str, protocol: str) -> dict[str, Any]:
    """The caller's listener; its HTTP is what the cluster makes of it."""
    router = {"@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"}
    route = {"match": {"prefix": "/"}, "route": {"cluster": cluster}}
    manager = {
        "@type": f"type.googleapis.com/{HttpConnectionManager.DESCRIPTOR.full_name}",
        "stat_prefix": "caller",
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
    }
    return {
        "name": f"caller {protocol}",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
    }


def _get(port: int) -> tuple[int, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/")
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if answer.status == 200 else {}
    finally:
        connection.close()


@pytest.mark.parametrize("mode", ["STRICT", "PERMISSIVE"])
@pytest.mark.parametrize("protocol", ["HTTP", "HTTP2"])
def test_identity_arrives(tmp_path: Path, application: int, protocol: str, mode: str) -> None:
    """Over HTTP/1.1 and HTTP/2, a permissive port too knows the mesh's TLS, and tells the application who calls."""
    document, calls, _ = _configuration(tmp_path, protocol, mode, application)
    with live_envoy(tmp_path, document):
        status, headers = _get(calls)
    assert status == 200
    assert f"URI={CALLER}" in headers["x-forwarded-client-cert"]


def test_undeclared_protocol_is_carried_as_bytes(tmp_path: Path, application: int) -> None:
    """Without Istio's ALPN filter callers do not say that it is HTTP: mutual TLS holds, but the far side sees TCP."""
    document, calls, _ = _configuration(tmp_path, "''", "STRICT", application)
    with live_envoy(tmp_path, document):
        status, headers = _get(calls)
    assert status == 200
    assert "x-forwarded-client-cert" not in headers


def test_plaintext_by_mode(tmp_path: Path, application: int) -> None:
    """A permissive port answers plaintext without an identity; a strict one does not answer."""
    document, _, inbound = _configuration(tmp_path, "HTTP", "PERMISSIVE", application)
    with live_envoy(tmp_path, document):
        status, headers = _get(inbound)
    assert status == 200
    assert "x-forwarded-client-cert" not in headers
    document, _, inbound = _configuration(tmp_path, "HTTP", "STRICT", application)
    with live_envoy(tmp_path, document), pytest.raises((ConnectionError, http.client.BadStatusLine)):
        _get(inbound)


def test_tls_of_the_application_passes(tmp_path: Path) -> None:
    """A permissive TCP port hands the application's own TLS on, untouched."""
    ca = MeshCa(datetime.now(UTC))
    ca.pair(dns="app.example").write(tmp_path)
    own = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    own.load_cert_chain(tmp_path / "cert-chain.pem", tmp_path / "key.pem")
    trust = ssl.create_default_context(cadata=ca.root_pem.decode())
    with _application(own) as port:
        document, _, inbound = _configuration(tmp_path, "TCP", "PERMISSIVE", port)
        with (
            live_envoy(tmp_path, document),
            socket.create_connection(("127.0.0.1", inbound), timeout=10) as plain,
            trust.wrap_socket(plain, server_hostname="app.example") as secure,
        ):
            secure.sendall(b"GET / HTTP/1.1\r\nhost: app.example\r\nconnection: close\r\n\r\n")
            assert secure.recv(1024).startswith(b"HTTP/1.1 200")
