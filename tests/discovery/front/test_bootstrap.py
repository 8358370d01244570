"""The front's configuration: what Envoy accepts, and the few settings that security rests on."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest

from discovery.front.bootstrap import FrontSettings, front_bootstrap, front_secrets
from discovery.runtime.envoy_binary import find_envoy


def settings(directory: str = "/run/front", **fields: Any) -> FrontSettings:
    base = FrontSettings(
        host="127.0.0.1",
        port=0,
        upstream_path=f"{directory}/server",
        secrets_dir=directory,
        admin_path=f"{directory}/admin",
    )
    return msgspec.structs.replace(base, **fields)


def connection_manager(document: Any) -> Any:
    (listener,) = document["static_resources"]["listeners"]
    return listener["filter_chains"][0]["filters"][0]["typed_config"]


def test_a_forged_client_certificate_header_is_replaced() -> None:
    """Whatever the caller writes there, the server sees what the handshake proved."""
    manager = connection_manager(front_bootstrap(settings()))
    assert manager["forward_client_cert_details"] == "SANITIZE_SET"


def test_administration_is_private() -> None:
    """A Unix socket that only we may open; no port."""
    admin = front_bootstrap(settings())["admin"]["address"]
    assert admin == {"pipe": {"path": "/run/front/admin", "mode": 0o600}}


def test_secrets_are_sds_documents() -> None:
    """One file each, so that roots change without the certificate."""
    files = front_secrets(chain_pem="chain", key_pem="key", roots_pem="roots")
    assert set(files) == {"certificate.json", "roots.json"}
    assert files["roots.json"]["resources"][0]["validation_context"] == {"trusted_ca": {"inline_string": "roots"}}


@pytest.mark.envoy
@pytest.mark.parametrize("host", ["", "127.0.0.1", "::1"])
def test_envoy_accepts_it(host: str, tmp_path: Path) -> None:
    """For all addresses, and with chosen cipher suites."""
    for name in front_secrets(chain_pem="", key_pem="", roots_pem=""):
        (tmp_path / name).write_text('{"resources": []}', encoding="utf-8")
    chosen = settings(str(tmp_path), host=host, cipher_suites=("ECDHE-RSA-AES128-GCM-SHA256",))
    config = tmp_path / "bootstrap.json"
    config.write_bytes(msgspec.json.encode(front_bootstrap(chosen)))
    done = subprocess.run(
        [str(find_envoy()), "--mode", "validate", "-c", str(config)], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr.decode()
