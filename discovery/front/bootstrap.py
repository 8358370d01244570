"""The front Envoy's configuration, as plain JSON values. Pure."""

from __future__ import annotations

from typing import Any, Final

import msgspec

__all__ = ["FrontSettings", "front_bootstrap", "front_secrets"]

_TYPE: Final = "type.googleapis.com/"
_HCM: Final = _TYPE + "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_HTTP2: Final = _TYPE + "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_WINDOW_BYTES: Final = 1024 * 1024


class FrontSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What the front needs to know.

    Attributes:
        host: address to bind; empty for all, of both families.
        port: port to bind; 0 for any.
        upstream_path: Unix socket of the server behind.
        secrets_dir: directory that holds ``certificate.json`` and ``roots.json`` (see ``front_secrets``).
        admin_path: Unix socket of the front's own administration.
        max_connections: further connections are closed at once.
        streams_per_second: new streams beyond this are answered with 429, which gRPC clients read as UNAVAILABLE.
        stream_burst: how many new streams may come at once.
    """

    host: str
    port: int
    upstream_path: str
    secrets_dir: str
    admin_path: str
    max_connections: int = 20000
    streams_per_second: int = 1000
    stream_burst: int = 4000
    tls_minimum: str = "TLSv1_2"
    cipher_suites: tuple[str, ...] = ()


def front_secrets(*, chain_pem: str, key_pem: str, roots_pem: str) -> dict[str, dict[str, Any]]:
    """File name -> SDS document: the serving certificate, and the roots that client certificates are verified with."""
    kind = _TYPE + "envoy.extensions.transport_sockets.tls.v3.Secret"
    certificate = {
        "certificate_chain": {"inline_string": chain_pem},
        "private_key": {"inline_string": key_pem},
    }
    return {
        "certificate.json": {"resources": [{"@type": kind, "name": "serving", "tls_certificate": certificate}]},
        "roots.json": {
            "resources": [
                {"@type": kind, "name": "roots", "validation_context": {"trusted_ca": {"inline_string": roots_pem}}}
            ]
        },
    }


def front_bootstrap(settings: FrontSettings) -> dict[str, Any]:
    """The whole bootstrap, to be written as JSON."""
    return {
        "node": {"id": "pilot-discovery-front", "cluster": "pilot-discovery"},
        "admin": {"address": {"pipe": {"path": settings.admin_path, "mode": 0o600}}},
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": _TYPE + "envoy.extensions.resource_monitors.downstream_connections.v3."
                        "DownstreamConnectionsConfig",
                        "max_active_downstream_connections": settings.max_connections,
                    },
                }
            ]
        },
        "static_resources": {"listeners": [_listener(settings)], "clusters": [_cluster(settings)]},
    }


def _listener(settings: FrontSettings) -> dict[str, Any]:
    host = settings.host or "::"
    return {
        "name": "secure",
        "address": {"socket_address": {"address": host, "port_value": settings.port, "ipv4_compat": not settings.host}},
        "filter_chains": [
            {
                "transport_socket": {
                    "name": "envoy.transport_sockets.tls",
                    "typed_config": _tls(settings),
                },
                "transport_socket_connect_timeout": "10s",
                "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": _hcm(settings)}],
            }
        ],
    }


def _tls(settings: FrontSettings) -> dict[str, Any]:
    params: dict[str, Any] = {"tls_minimum_protocol_version": settings.tls_minimum}
    if settings.cipher_suites:
        params["cipher_suites"] = list(settings.cipher_suites)
    return {
        "@type": _TYPE + "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": {
            "tls_params": params,
            "alpn_protocols": ["h2"],
            "tls_certificate_sds_secret_configs": [_file_secret(settings, "serving", "certificate.json")],
            "validation_context_sds_secret_config": _file_secret(settings, "roots", "roots.json"),
        },
        # A certificate is verified if it is given; who brings none must bring a token.
        "require_client_certificate": False,
    }


def _file_secret(settings: FrontSettings, name: str, file: str) -> dict[str, Any]:
    directory = settings.secrets_dir
    source = {"path": f"{directory}/{file}", "watched_directory": {"path": directory}}
    return {"name": name, "sds_config": {"resource_api_version": "V3", "path_config_source": source}}


def _hcm(settings: FrontSettings) -> dict[str, Any]:
    bucket = {
        "max_tokens": settings.stream_burst,
        "tokens_per_fill": settings.streams_per_second,
        "fill_interval": "1s",
    }
    everything = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}
    return {
        "@type": _HCM,
        "stat_prefix": "secure",
        "codec_type": "HTTP2",
        "http2_protocol_options": {
            "max_concurrent_streams": 100,
            "initial_stream_window_size": _WINDOW_BYTES,
            "initial_connection_window_size": _WINDOW_BYTES,
        },
        "stream_idle_timeout": "0s",
        "use_remote_address": True,
        "forward_client_cert_details": "SANITIZE_SET",
        "set_current_client_cert_details": {"subject": True, "uri": True, "dns": True, "chain": True},
        "http_filters": [
            {
                "name": "envoy.filters.http.local_ratelimit",
                "typed_config": {
                    "@type": _TYPE + "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
                    "stat_prefix": "streams",
                    "token_bucket": bucket,
                    "filter_enabled": everything,
                    "filter_enforced": everything,
                },
            },
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": _TYPE + "envoy.extensions.filters.http.router.v3.Router"},
            },
        ],
        "route_config": {
            "name": "server",
            "virtual_hosts": [
                {
                    "name": "server",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "server", "timeout": "0s"}}],
                }
            ],
        },
    }


def _cluster(settings: FrontSettings) -> dict[str, Any]:
    unlimited = 1_000_000
    return {
        "name": "server",
        "type": "STATIC",
        "connect_timeout": "1s",
        "circuit_breakers": {
            "thresholds": [{"max_connections": unlimited, "max_pending_requests": unlimited, "max_requests": unlimited}]
        },
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _HTTP2,
                "explicit_http_config": {
                    "http2_protocol_options": {
                        "initial_stream_window_size": _WINDOW_BYTES,
                        "initial_connection_window_size": 16 * _WINDOW_BYTES,
                    }
                },
            }
        },
        "load_assignment": {
            "cluster_name": "server",
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": settings.upstream_path}}}}]}],
        },
    }
