"""Settings of an OpenID Connect provider."""

from __future__ import annotations

from datetime import timedelta

import pytest

from discovery.settings import FLAGS, Settings, SettingsError, load_settings
from discovery.token_settings import TokenSettings


def loaded(environ: dict[str, str]) -> Settings:
    return load_settings({flag.field: flag.default for flag in FLAGS} | {"configDir": "x"}, environ)


def test_defaults() -> None:
    """No provider; what one would be asked with is istiod's."""
    expected = TokenSettings(
        oidc=None, refresh=timedelta(minutes=20), extra_roots="/cacerts/extra.pem", skip_verify=False
    )
    assert loaded({}).tokens == expected


def test_all_are_read() -> None:
    """The rule is parsed."""
    found = loaded(
        {
            "JWT_RULE": '{"issuer": "https://id.example.org", "audiences": ["istio-ca"]}',
            "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL": "5m",
            "PILOT_JWKS_EXTRA_ROOTS": "/roots.pem",
            "JWKS_RESOLVER_INSECURE_SKIP_VERIFY": "true",
        }
    ).tokens
    assert found.oidc is not None
    assert found.oidc.issuer == "https://id.example.org"
    assert (found.refresh, found.extra_roots, found.skip_verify) == (timedelta(minutes=5), "/roots.pem", True)


def test_every_mistake_is_told() -> None:
    """A control plane that would let in nobody, or anybody, does not start."""
    with pytest.raises(SettingsError) as caught:
        loaded({"JWT_RULE": "{}", "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL": "0s"})
    assert [finding.split(":")[0].split("=")[0] for finding in caught.value.findings] == [
        "PILOT_JWT_PUB_KEY_REFRESH_INTERVAL",
        "JWT_RULE",
    ]
