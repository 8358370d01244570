"""Where the control plane and the CA are, whom to trust there, and what to show them. Pure, given what files exist."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from agent.bind.binding import parse_binding
from agent.bind.forwarder import Forwarder
from agent.bootstrap.json_forms import split_address
from agent.settings import Settings
from agent.xds_proxy.dial import UpstreamOptions
from discovery.wire.ports import DISCOVERY_GRPC

__all__ = ["CRL_FILE", "TOKEN_FILE", "UpstreamError", "ca_upstream", "ways_out", "xds_upstream"]

TOKEN_FILE: Final = "./var/run/secrets/tokens/istio-token"  # noqa: S105 - a path
CRL_FILE: Final = "/var/run/secrets/istio/crl/ca-crl.pem"
_DEFAULT_ROOT: Final = "./var/run/secrets/istio/root-cert.pem"
_IMPLICIT_ROOT: Final = "./etc/certs/root-cert.pem"
_PLAINTEXT: Final = f":{DISCOVERY_GRPC}"

Exists = Callable[[str], bool]


class UpstreamError(ValueError):
    """It is not clear whom to trust; the text says what to set."""


def xds_upstream(settings: Settings, *, exists: Exists) -> UpstreamOptions:
    """The control plane.

    Raises:
        UpstreamError: a root is needed and ``PILOT_CERT_PROVIDER`` says that there is none.
    """
    config, tls = settings.config, settings.config.control_plane_auth_policy != "NONE"
    return _options(
        settings,
        address=config.discovery_address,
        roots=_xds_roots(settings, exists) if tls else "",
        server_name=settings.env.istiod_san,
        headers=dict(settings.xds_headers),
        way_out="out-xds",
    )


def ca_upstream(settings: Settings, *, exists: Exists) -> UpstreamOptions:
    """The CA: by default it is at the discovery address.

    Raises:
        UpstreamError: as for ``xds_upstream``.
    """
    env, config = settings.env, settings.config
    address = env.ca_addr or config.discovery_address
    plaintext = address.endswith(_PLAINTEXT) or (not env.ca_addr and config.control_plane_auth_policy == "NONE")
    return _options(
        settings,
        address=address,
        roots="" if plaintext else _ca_roots(settings, exists),
        server_name="" if env.ca_addr else env.istiod_san,
        headers=dict(settings.ca_headers),
        way_out="out-ca",
    )


def ways_out(settings: Settings, *, exists: Exists) -> tuple[Forwarder, ...]:
    """What connections to the control plane and to the CA go through; none where nothing is bound.

    Raises:
        ValueError: an address is not ``host:port``, or what to bind to cannot be used.
    """
    binding = parse_binding(settings.env.bind_address, settings.env.bind_device)
    if binding is None:
        return ()
    upstreams = [xds_upstream(settings, exists=exists)]
    with suppress(UpstreamError):  # then no CA is asked
        upstreams.append(ca_upstream(settings, exists=exists))
    places = [(Path(upstream.through), *split_address(upstream.address)) for upstream in upstreams]
    return tuple(Forwarder(path, host=host, port=port, binding=binding) for path, host, port in places)


def _options(
    settings: Settings, *, address: str, roots: str, server_name: str, headers: dict[str, str], way_out: str
) -> UpstreamOptions:
    env = settings.env
    chain, key = _client_files(settings)
    return UpstreamOptions(
        address=address,
        tls=bool(roots),
        server_name=server_name,
        roots=roots,
        client_chain=chain,
        client_key=key,
        token=TOKEN_FILE,
        cluster_id=settings.node_environ.get("ISTIO_META_CLUSTER_ID", ""),
        headers=headers,
        keepalive_interval_s=env.keepalive_interval_s,
        keepalive_timeout_s=env.keepalive_timeout_s,
        through=str(Path(settings.config.config_path) / way_out) if env.bind_address or env.bind_device else "",
    )


def _xds_roots(settings: Settings, exists: Exists) -> str:
    env = settings.env
    if env.xds_root_ca:
        return env.xds_root_ca
    if exists(_IMPLICIT_ROOT):
        return _IMPLICIT_ROOT
    if env.prov_cert:
        return f"{env.prov_cert}/root-cert.pem"
    if env.file_mounted_certs and (mounted := settings.node_environ.get("ISTIO_META_TLS_CLIENT_ROOT_CERT")):
        return mounted
    return _provider_root(settings, "XDS_ROOT_CA")


def _ca_roots(settings: Settings, exists: Exists) -> str:
    env = settings.env
    if env.ca_root_ca:
        return env.ca_root_ca
    if env.pilot_cert_provider == "custom" and exists(_IMPLICIT_ROOT):
        return _IMPLICIT_ROOT
    if env.prov_cert:
        return f"{env.prov_cert}/root-cert.pem"
    return _provider_root(settings, "CA_ROOT_CA")


def _provider_root(settings: Settings, variable: str) -> str:
    if settings.env.pilot_cert_provider == "none":
        raise UpstreamError(
            f"PILOT_CERT_PROVIDER is none, so nothing says whom to trust; set {variable} to a file of roots, "
            "or controlPlaneAuthPolicy to NONE for a plaintext port"
        )
    return _IMPLICIT_ROOT if settings.env.pilot_cert_provider == "custom" else _DEFAULT_ROOT


def _client_files(settings: Settings) -> tuple[str, str]:
    env, environ = settings.env, settings.node_environ
    if env.prov_cert:
        return f"{env.prov_cert}/cert-chain.pem", f"{env.prov_cert}/key.pem"
    if env.file_mounted_certs:
        return environ.get("ISTIO_META_TLS_CLIENT_CERT_CHAIN", ""), environ.get("ISTIO_META_TLS_CLIENT_KEY", "")
    return "", ""
