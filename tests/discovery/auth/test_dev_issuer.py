from __future__ import annotations

from pathlib import Path

import pytest

from certs.keys import KeyKind, dump_key
from discovery.auth.dev_issuer import DevIssuer, DevIssuerError
from discovery.auth.jwks import load_jwks, parse_token, verify_signature
from tests.kit.certs import NOW, key


def test_key_is_made_once_and_kept_private(tmp_path: Path) -> None:
    """A token issued before a restart, or by another process, is accepted after it."""
    directory = tmp_path / "state" / "tokens"
    token = DevIssuer.open(directory).issue("shop", "reviews", now=NOW)
    assert verify_signature(parse_token(token), DevIssuer.open(directory).rule().keys.keys(""))
    assert directory.stat().st_mode & 0o777 == 0o700
    assert [(path.stat().st_mode & 0o777) for path in directory.iterdir()] == [0o600]


def test_open_directory_is_refused(tmp_path: Path) -> None:
    """A key that others can read lets them be anybody."""
    tmp_path.chmod(0o755)
    with pytest.raises(DevIssuerError, match="chmod 700"):
        DevIssuer.open(tmp_path)


def test_foreign_key_is_told(tmp_path: Path) -> None:
    """A key of another kind is not replaced silently, for its tokens would stop to count."""
    tmp_path.chmod(0o700)
    (tmp_path / "token-issuer-key.pem").write_bytes(dump_key(key("rsa", KeyKind.RSA)))
    with pytest.raises(DevIssuerError, match="not an ECDSA key"):
        DevIssuer.open(tmp_path)


def test_published_keys_are_the_rule_s(tmp_path: Path) -> None:
    """Another control plane can accept the tokens by the JWK set alone."""
    tmp_path.chmod(0o700)
    issuer = DevIssuer.open(tmp_path)
    loaded = load_jwks(issuer.jwks(), where="jwks")
    assert loaded == issuer.rule().keys.keys("")


def test_token_file_is_private(tmp_path: Path) -> None:
    """Whoever reads it is the workload."""
    tmp_path.chmod(0o700)
    path = tmp_path / "istio-token"
    DevIssuer.open(tmp_path).write_token(path, "abc")
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("abc", 0o600)
