from __future__ import annotations

from typing import Any

import pytest

from agent.bootstrap.json_forms import ClientFiles, split_address, upstream_tls
from discovery.wire.proxy_config import TlsSettings


@pytest.mark.parametrize(
    ("text", "address"),
    [("h:1", ("h", 1)), ("[fd00::1]:15012", ("fd00::1", 15012)), ("fd00::1:15012", ("fd00::1", 15012))],
)
def test_addresses_are_split(text: str, address: tuple[str, int]) -> None:
    """The last colon separates the port; brackets go."""
    assert split_address(text) == address


@pytest.mark.parametrize("text", ["h", "h:", ":1", "h:0", "h:65536", "h:x", ""])
def test_what_is_no_address(text: str) -> None:
    """A host and a usable port are wanted."""
    with pytest.raises(ValueError, match="want host:port"):
        split_address(text)


def _names(settings: TlsSettings, files: ClientFiles) -> tuple[Any, Any, Any]:
    common = upstream_tls(settings, files)["transport_socket"]["typed_config"]["common_tls_context"]
    certificates = [item["name"] for item in common.get("tls_certificate_sds_secret_configs", [])]
    validation = common.get("combined_validation_context")
    root = validation and validation["validation_context_sds_secret_config"]["name"]
    return certificates, root, common["alpn_protocols"]


@pytest.mark.parametrize(
    ("settings", "files", "expected"),
    [
        (TlsSettings(mode="SIMPLE", ca_certificates="/c"), ClientFiles(), ([], "file-root:/c", ["h2"])),
        (TlsSettings(mode="SIMPLE"), ClientFiles(), ([], None, ["h2"])),
        (
            TlsSettings(mode="MUTUAL", client_certificate="/a", private_key="/k", ca_certificates="/c"),
            ClientFiles(),
            (["file-cert:/a~/k"], "file-root:/c", ["h2"]),
        ),
        (TlsSettings(mode="ISTIO_MUTUAL"), ClientFiles(), (["default"], "ROOTCA", ["istio", "h2"])),
        (
            TlsSettings(mode="ISTIO_MUTUAL"),
            ClientFiles(certificate="/a", key="/k", root="/r"),
            (["file-cert:/a~/k"], "file-root:/r", ["istio", "h2"]),
        ),
    ],
)
def test_secrets_are_named_by_mode(settings: TlsSettings, files: ClientFiles, expected: tuple[Any, Any, Any]) -> None:
    """Files of the service, the workload's own identity, or the identity it has in files."""
    assert _names(settings, files) == expected


def test_no_tls_is_no_transport_socket() -> None:
    """Neither without settings nor when disabled."""
    assert upstream_tls(None, ClientFiles()) == upstream_tls(TlsSettings(), ClientFiles()) == {}
