from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.settings import Settings
from agent.upstreams import UpstreamError, ca_upstream, xds_upstream
from tests.kit.agent import settings


def _told(directory: Path, env: Mapping[str, str], config: Mapping[str, str] | None = None) -> Settings:
    return settings(directory, env={**env, **({"PROXY_CONFIG": json.dumps(config)} if config else {})})


@pytest.mark.parametrize(
    ("env", "files", "xds", "ca"),
    [
        ({}, (), "./var/run/secrets/istio/root-cert.pem", "./var/run/secrets/istio/root-cert.pem"),
        ({"XDS_ROOT_CA": "SYSTEM", "CA_ROOT_CA": "/ca"}, ("./etc/certs/root-cert.pem",), "SYSTEM", "/ca"),
        ({}, ("./etc/certs/root-cert.pem",), "./etc/certs/root-cert.pem", "./var/run/secrets/istio/root-cert.pem"),
        ({"PROV_CERT": "/p"}, (), "/p/root-cert.pem", "/p/root-cert.pem"),
        ({"PILOT_CERT_PROVIDER": "custom"}, (), "./etc/certs/root-cert.pem", "./etc/certs/root-cert.pem"),
        (
            {"FILE_MOUNTED_CERTS": "true", "ISTIO_META_TLS_CLIENT_ROOT_CERT": "/r"},
            (),
            "/r",
            "./var/run/secrets/istio/root-cert.pem",
        ),
    ],
)
def test_whom_to_trust(tmp_path: Path, env: dict[str, str], files: tuple[str, ...], xds: str, ca: str) -> None:
    """The first source that speaks; the CA has an order of its own."""
    told = _told(tmp_path, env)
    assert xds_upstream(told, exists=files.__contains__).roots == xds
    assert ca_upstream(told, exists=files.__contains__).roots == ca


def test_nobody_to_trust_is_an_error(tmp_path: Path) -> None:
    """It says what to set; a plaintext port needs nobody."""
    told = _told(tmp_path, {"PILOT_CERT_PROVIDER": "none"})
    with pytest.raises(UpstreamError, match="set XDS_ROOT_CA"):
        xds_upstream(told, exists=lambda _path: False)
    with pytest.raises(UpstreamError, match="set CA_ROOT_CA"):
        ca_upstream(told, exists=lambda _path: False)
    plain = _told(tmp_path, {"PILOT_CERT_PROVIDER": "none"}, {"controlPlaneAuthPolicy": "NONE"})
    assert not xds_upstream(plain, exists=lambda _path: False).tls


@pytest.mark.parametrize(
    ("config", "ca_addr", "address", "tls"),
    [
        ({"discoveryAddress": "a:15012"}, "", "a:15012", True),
        ({"discoveryAddress": "a:15010", "controlPlaneAuthPolicy": "NONE"}, "", "a:15010", False),
        ({"discoveryAddress": "a:15010", "controlPlaneAuthPolicy": "NONE"}, "b:15012", "b:15012", True),
        ({"discoveryAddress": "a:15012"}, "b:15010", "b:15010", False),
    ],
)
def test_where_the_ca_is(tmp_path: Path, config: dict[str, str], ca_addr: str, address: str, *, tls: bool) -> None:
    """At the discovery address unless told otherwise; the plaintext port is plaintext."""
    upstream = ca_upstream(_told(tmp_path, {"CA_ADDR": ca_addr}, config), exists=lambda _path: False)
    assert (upstream.address, upstream.tls) == (address, tls)


def test_what_is_shown(tmp_path: Path) -> None:
    """Token, cluster and headers always; a certificate if there is one; the name only where it applies."""
    env = {"ISTIO_META_CLUSTER_ID": "c", "XDS_HEADER_K": "v", "CA_HEADER_L": "w", "PROV_CERT": "/p", "ISTIOD_SAN": "n"}
    xds = xds_upstream(_told(tmp_path, env), exists=lambda _path: False)
    assert (xds.cluster_id, xds.headers, xds.server_name) == ("c", {"K": "v"}, "n")
    assert (xds.client_chain, xds.client_key) == ("/p/cert-chain.pem", "/p/key.pem")
    assert xds.token == "./var/run/secrets/tokens/istio-token"
    assert ca_upstream(_told(tmp_path, env), exists=lambda _path: False).server_name == "n"
    assert ca_upstream(_told(tmp_path, {**env, "CA_ADDR": "b:1"}), exists=lambda _path: False).server_name == ""


def test_mounted_files_are_shown(tmp_path: Path) -> None:
    """The identity that the workload has in files is also the one it calls with."""
    env = {"FILE_MOUNTED_CERTS": "1", "ISTIO_META_TLS_CLIENT_CERT_CHAIN": "/c", "ISTIO_META_TLS_CLIENT_KEY": "/k"}
    xds = xds_upstream(_told(tmp_path, env), exists=lambda _path: False)
    assert (xds.client_chain, xds.client_key) == ("/c", "/k")
