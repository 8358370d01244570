from __future__ import annotations

from discovery.schema.gateway import Gateway, GatewayServer
from discovery.schema.meta import Kind
from discovery.schema.server_tls import ServerTLSMode
from tests.kit.manifests import istio, places


def test_servers_with_ports_hosts_and_tls() -> None:
    """A server is a port, hosts and perhaps TLS; the selector is a plain map."""
    spec = istio(
        Kind.GATEWAY,
        """
        selector: {istio: ingressgateway}
        servers:
        - {port: {number: 443, name: https, protocol: HTTPS}, hosts: ["shop/*.example.com"], tls: {mode: SIMPLE}}
        """,
    ).spec
    assert isinstance(spec, Gateway)
    assert spec.selector == {"istio": "ingressgateway"}
    (server,) = spec.servers
    assert isinstance(server, GatewayServer)
    assert server.port is not None
    assert (server.port.number, server.port.protocol, server.hosts) == (443, "HTTPS", ("shop/*.example.com",))
    assert server.tls is not None
    assert server.tls.mode is ServerTLSMode.SIMPLE


def test_what_a_server_cannot_do_without() -> None:
    """A server without port or hosts is told of with the place of each."""
    assert places(Kind.GATEWAY, "{servers: [{port: {number: 80}}]}") == [
        "servers[0].port.protocol",
        "servers[0].port.name",
        "servers[0].hosts",
    ]
