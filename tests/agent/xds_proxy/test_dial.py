"""Names, roots, certificates and tokens for calls to the control plane."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from agent.xds_proxy import dial
from agent.xds_proxy.dial import (
    DialError,
    UpstreamOptions,
    call_metadata,
    choose_server_name,
    find_os_roots,
    read_roots,
)
from tests.kit.inline_x509 import inline_x509
from tests.kit.mesh_ca import MeshCa

NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("address", "override", "name"),
    [
        ("istiod.istio-system.svc:15012", "", "istiod.istio-system.svc"),
        ("localhost:15012", "", "istiod.istio-system.svc"),
        ("istiod.example:15012", "istiod-canary.istio-system.svc", "istiod-canary.istio-system.svc"),
        ("127.0.0.1:15012", "", "127.0.0.1"),
        ("[fd00::1]:15012", "", "fd00::1"),
    ],
)
def test_server_name(address: str, override: str, name: str) -> None:
    """The host of the address, the usual service behind localhost, or what ISTIOD_SAN says."""
    assert choose_server_name(address, override) == name


def test_missing_roots_say_what_to_do(tmp_path: Path) -> None:
    """A missing root file is named together with the setting that chooses another."""
    with pytest.raises(DialError, match=r"root-cert\.pem.*XDS_ROOT_CA"):
        read_roots(str(tmp_path / "root-cert.pem"))


@pytest.mark.parametrize("content", [b"", b"garbage", b"\n"])
def test_no_roots_are_not_those_of_the_web(tmp_path: Path, content: bytes) -> None:
    """gRPC takes the public roots in the place of an empty text: whoever they vouch for could be our control plane."""
    path = tmp_path / "root-cert.pem"
    path.write_bytes(content)
    with pytest.raises(DialError, match=r"root-cert\.pem: no certificate in it, want the PEM"):
        read_roots(str(path))


def test_system_roots(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """SYSTEM means the first bundle that exists; none at all is an error."""
    bundle = tmp_path / "bundle.crt"
    monkeypatch.setattr(dial, "OS_ROOTS", (str(tmp_path / "none"), str(bundle)))
    assert find_os_roots() is None
    with pytest.raises(DialError, match="operating system"):
        read_roots("SYSTEM")
    bundle.write_bytes(b"-----BEGIN CERTIFICATE-----")
    assert read_roots("SYSTEM") == b"-----BEGIN CERTIFICATE-----"


def test_metadata(tmp_path: Path) -> None:
    """Cluster, extra headers in lower case, and the token as the file has it now."""
    token = tmp_path / "token"
    options = UpstreamOptions(address="a:1", cluster_id="c1", headers={"X-Tenant": "t"}, token=str(token))
    assert dict(call_metadata(options)) == {"x-tenant": "t", "clusterid": "c1"}
    token.write_text(" one\n")
    assert dict(call_metadata(options))["authorization"] == "Bearer one"
    token.write_text("two")
    assert dict(call_metadata(options))["authorization"] == "Bearer two"
    for no_token in ("\n", "two\nlines", "Ünicode"):
        token.write_text(no_token)
        assert "authorization" not in dict(call_metadata(options))


async def test_expired_or_broken_client_certificate_is_not_shown(tmp_path: Path) -> None:
    """An expired or unreadable pair is left out: the token alone may still do."""
    ca, x509 = MeshCa(NOW - timedelta(days=2)), inline_x509()
    options = UpstreamOptions(
        address="a:1", client_chain=str(tmp_path / "cert-chain.pem"), client_key=str(tmp_path / "key.pem")
    )
    assert await dial._read_client_pair(options, x509, NOW) == (None, None)
    fresh = ca.pair(lifetime=timedelta(days=9))
    fresh.write(tmp_path)
    assert await dial._read_client_pair(options, x509, NOW) == (fresh.key, fresh.chain)
    ca.pair(lifetime=timedelta(days=1)).write(tmp_path)
    assert await dial._read_client_pair(options, x509, NOW) == (None, None)
    os.truncate(tmp_path / "key.pem", 20)
    assert await dial._read_client_pair(options, x509, NOW) == (None, None)
