from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from certs.bundle import TrustBundle
from certs.ca import SigningCa
from certs.errors import CaError
from discovery.ca.secret import CA_SECRET, PLUGGED_IN_SECRET, decode_ca_secret, encode_ca_secret
from tests.kit.certs import NOW, root_ca


def secret(name: str, data: dict[str, bytes], *, version: str = "7") -> bytes:
    encoded = {key: base64.b64encode(value).decode() for key, value in data.items()}
    return msgspec.json.encode({"metadata": {"name": name, "resourceVersion": version}, "data": encoded})


def parts(ca: SigningCa) -> dict[str, bytes]:
    return {"ca-cert.pem": ca.certificate_pem(), "ca-key.pem": ca.key_pem(), "root-cert.pem": ca.roots.to_pem()}


def test_secret_of_ours_survives_the_round() -> None:
    """What is written is read again, with its type and keys as istiod has them."""
    body = encode_ca_secret(root_ca(), namespace="istio-system", name=CA_SECRET, version="3")
    written: dict[str, Any] = msgspec.json.decode(body)
    assert (written["type"], set(written["data"])) == (
        "istio.io/ca-root",
        {"ca-cert.pem", "ca-key.pem", "root-cert.pem"},
    )
    found = decode_ca_secret(body, at=NOW)
    assert (found.ca.certificate, found.ca.roots, found.ours, found.version) == (
        root_ca().certificate,
        root_ca().roots,
        True,
        "3",
    )


def test_secret_that_is_new_has_no_version() -> None:
    """A create must not name one."""
    assert b"resourceVersion" not in encode_ca_secret(root_ca(), namespace="n", name=CA_SECRET)


def test_root_of_ours_in_cacerts_is_marked() -> None:
    """So that it is renewed, and an operator's is not."""
    body = encode_ca_secret(root_ca(), namespace="n", name=PLUGGED_IN_SECRET)
    assert "istio-generated" in msgspec.json.decode(body)["data"]
    assert decode_ca_secret(body, at=NOW).ours
    assert not decode_ca_secret(secret(PLUGGED_IN_SECRET, parts(root_ca())), at=NOW).ours


def test_layout_of_tls_secrets_is_read() -> None:
    """As cert-manager writes them."""
    ca = root_ca()
    data = {"tls.crt": ca.certificate_pem(), "tls.key": ca.key_pem(), "ca.crt": ca.roots.to_pem()}
    assert decode_ca_secret(secret(PLUGGED_IN_SECRET, data), at=NOW).ca.certificate == ca.certificate


def test_secret_of_an_early_release_is_read() -> None:
    """Its root-cert.pem is empty: the CA's certificate is the root."""
    data = {**parts(root_ca()), "root-cert.pem": b"", "cert-chain.pem": b"", "key.pem": b""}
    assert decode_ca_secret(secret(CA_SECRET, data), at=NOW).ca.roots == TrustBundle((root_ca().certificate,))


@pytest.mark.parametrize(
    ("name", "body", "says"),
    [
        (CA_SECRET, secret(CA_SECRET, {}), "ca-cert.pem, ca-key.pem missing"),
        (CA_SECRET, secret(CA_SECRET, {**parts(root_ca()), "ca-key.pem": b"x"}), "CA key"),
        (
            PLUGGED_IN_SECRET,
            secret(PLUGGED_IN_SECRET, {**parts(root_ca()), "root-cert.pem": b""}),
            "root-cert.pem missing",
        ),
        ("other", secret("other", {**parts(root_ca()), "ca-key.pem": root_ca("other").key_pem()}), "key"),
        ("none", b'{"data": {"a": "%%%"}}', "not as Secrets are"),
        ("none", b"[]", "not as Secrets are"),
    ],
    ids=["empty", "broken key", "no root", "key of another", "no base64", "no object"],
)
def test_what_cannot_be_used_says_why(name: str, body: bytes, says: str) -> None:
    """And never shows the key."""
    with pytest.raises(CaError, match=says) as caught:
        decode_ca_secret(body, at=NOW)
    assert "PRIVATE" not in str(caught.value)


def test_expired_root_cannot_be_used() -> None:
    """Nothing that it signs would be accepted."""
    with pytest.raises(CaError, match="expired"):
        decode_ca_secret(secret(CA_SECRET, parts(root_ca())), at=NOW + timedelta(days=4000))


def test_secret_does_not_print_its_key() -> None:
    """Logs are no place for it."""
    found = decode_ca_secret(secret(CA_SECRET, parts(root_ca())), at=NOW)
    assert "PRIVATE" not in repr(found)
