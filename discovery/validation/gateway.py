"""Rules of Gateway. Those of TLS are in ``server_tls``."""

from __future__ import annotations

from collections.abc import Iterator

from discovery.schema.gateway import Gateway, GatewayServer
from discovery.schema.proto_json import Problem
from discovery.schema.server_tls import ServerTLSMode
from discovery.validation.fields import check_address, check_host, check_port, error, is_label, warning
from discovery.validation.protocols import HTTP_PROTOCOLS, TLS_PROTOCOLS, check_protocol
from discovery.validation.server_tls import check_server_tls, has_certificate_fields

__all__ = ["check_gateway"]


def check_gateway(spec: Gateway) -> Iterator[Problem]:
    """What is wrong with the servers."""
    if not spec.servers:
        yield error("spec.servers", "want at least one server, got none")
    names: set[str] = set()
    for i, server in enumerate(spec.servers):
        at = f"spec.servers[{i}]"
        if server.port is None:
            yield error(f"{at}.port", "want a port, got none")
            continue
        if server.port.name in names:
            yield error(f"{at}.port.name", f"another port has the name {server.port.name!r}", "give each its own")
        names.add(server.port.name)
        yield from _port(server, at)
        yield from _hosts(server, at)
        yield from _tls(server, at)


def _port(server: GatewayServer, at: str) -> Iterator[Problem]:
    port = server.port
    if port is None:
        return
    if not port.name:
        yield error(f"{at}.port.name", "want a name, got none")
    yield from check_protocol(port.protocol, f"{at}.port.protocol")
    if port.target_port:
        yield error(f"{at}.port.targetPort", "is not possible on a gateway", "remove it")
    if server.bind.startswith("unix://"):
        if port.number:
            yield error(f"{at}.port.number", "a Unix socket has no port", "use 0")
        return
    if server.bind:
        yield from check_address(server.bind, f"{at}.bind")
    yield from check_port(port.number, f"{at}.port.number")


def _hosts(server: GatewayServer, at: str) -> Iterator[Problem]:
    if not server.hosts:
        yield error(f"{at}.hosts", "want at least one host, got none", "'*' is all of them")
    for i, host in enumerate(server.hosts):
        namespace, slash, name = host.partition("/")
        if slash and not (namespace in ("*", ".") or is_label(namespace)):
            yield error(f"{at}.hosts[{i}]", f"want namespace/host or host, got {host!r}", "'./' is the own namespace")
            continue
        yield from check_host(name if slash else host, f"{at}.hosts[{i}]")


def _tls(server: GatewayServer, at: str) -> Iterator[Problem]:
    protocol = server.port.protocol.upper() if server.port is not None else ""
    tls = server.tls
    if tls is None:
        if protocol in TLS_PROTOCOLS:
            yield error(f"{at}.tls", f"want TLS settings for protocol {protocol}, got none")
        return
    yield from check_server_tls(tls, f"{at}.tls")
    plain = protocol in HTTP_PROTOCOLS
    if plain and (tls.mode is not ServerTLSMode.PASSTHROUGH or has_certificate_fields(tls)):
        yield error(f"{at}.tls", f"does not go with protocol {protocol}", "use protocol HTTPS")
    if protocol == "TCP":
        yield error(f"{at}.tls", "does not go with protocol TCP", "use protocol TLS")
    if tls.https_redirect and not plain:
        yield warning(f"{at}.tls.httpsRedirect", f"has no effect with protocol {protocol}", "it is for HTTP")
