"""Shapes that recur in Envoy's JSON: addresses, SDS sources, HTTP/2, TLS contexts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.wire.proxy_config import TlsSettings

__all__ = [
    "HTTP2_OPTIONS",
    "ClientFiles",
    "any_message",
    "hosts_load_assignment",
    "pipe_load_assignment",
    "sds_secret",
    "socket_address",
    "split_address",
    "upstream_tls",
]

_TYPE: Final = "type.googleapis.com/"

HTTP2_OPTIONS: Final[Mapping[str, Any]] = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": _TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


class ClientFiles(msgspec.Struct, frozen=True, kw_only=True):
    """File-mounted client identity of the workload; empty: it has none and uses SDS names."""

    certificate: str = ""
    key: str = ""
    root: str = ""


def any_message(name: str, type_name: str, **members: Any) -> dict[str, Any]:
    """``{"name", "typed_config"}`` of an extension."""
    return {"name": name, "typed_config": {"@type": _TYPE + type_name, **members}}


def split_address(address: str) -> tuple[str, int]:
    """Host and port; brackets of IPv6 are taken off.

    Raises:
        ValueError: no ``host:port``.
    """
    host, separator, port = address.rpartition(":")
    if not separator or not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError(f"{address!r} is no address, want host:port with a port from 1 to 65535")
    return host.removeprefix("[").removesuffix("]"), int(port)


def socket_address(host: str, port: int) -> dict[str, Any]:
    """A TCP address."""
    return {"socket_address": {"protocol": "TCP", "address": host, "port_value": port}}


def _load_assignment(cluster: str, address: Mapping[str, Any]) -> dict[str, Any]:
    return {"cluster_name": cluster, "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}]}


def hosts_load_assignment(cluster: str, host: str, port: int) -> dict[str, Any]:
    """The one endpoint of a static or DNS cluster."""
    return _load_assignment(cluster, socket_address(host, port))


def pipe_load_assignment(cluster: str, path: str) -> dict[str, Any]:
    """The one endpoint of a cluster behind a Unix socket."""
    return _load_assignment(cluster, {"pipe": {"path": path}})


def sds_secret(name: str) -> dict[str, Any]:
    """A secret by name from the agent's SDS server."""
    source = {
        "api_type": "GRPC",
        "transport_api_version": "V3",
        "set_node_on_first_message_only": True,
        "grpc_services": [{"envoy_grpc": {"cluster_name": "sds-grpc"}}],
    }
    return {"name": name, "sds_config": {"api_config_source": source, "resource_api_version": "V3"}}


def upstream_tls(settings: TlsSettings | None, files: ClientFiles, *, alpn: bool = True) -> dict[str, Any]:
    """``{"transport_socket": ...}`` for a remote service, empty without TLS.

    ``alpn`` False for services that speak HTTP/1 (Zipkin): an offer of h2 would be taken up.
    """
    if settings is None or settings.mode == "DISABLE":
        return {}
    certificate, root = _secret_names(settings, files)
    common: dict[str, Any] = {}
    if alpn:
        common["alpn_protocols"] = ["istio", "h2"] if settings.mode == "ISTIO_MUTUAL" else ["h2"]
    if root:
        checks = {"match_typed_subject_alt_names": _matchers(settings.subject_alt_names)}
        common["combined_validation_context"] = {
            "default_validation_context": checks if settings.subject_alt_names else {},
            "validation_context_sds_secret_config": sds_secret(root),
        }
    if certificate:
        common["tls_certificate_sds_secret_configs"] = [sds_secret(certificate)]
    context: dict[str, Any] = {"common_tls_context": common}
    if settings.sni:
        context["sni"] = settings.sni
    message = "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext"
    return {"transport_socket": any_message("envoy.transport_sockets.tls", message, **context)}


def _secret_names(settings: TlsSettings, files: ClientFiles) -> tuple[str, str]:
    """Names of certificate and root at the SDS server; empty for none."""
    if settings.mode == "ISTIO_MUTUAL":
        if files.certificate and files.key:
            root = f"file-root:{files.root}" if files.root else "ROOTCA"
            return f"file-cert:{files.certificate}~{files.key}", root
        return "default", "ROOTCA"
    root = f"file-root:{settings.ca_certificates}" if settings.ca_certificates else ""
    if settings.mode == "MUTUAL" and settings.client_certificate:
        return f"file-cert:{settings.client_certificate}~{settings.private_key}", root
    return "", root


def _matchers(names: tuple[str, ...]) -> list[dict[str, Any]]:
    """A name may stand for a URI or a DNS name; either may match."""
    return [{"san_type": kind, "matcher": {"exact": name}} for name in names for kind in ("URI", "DNS")]
