"""Rules of the TLS of a server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "serverCertificate": "/c", "privateKey": "/k"},
                    }
                ]
            },
            [],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE"},
                    }
                ]
            },
            ["servers[0].tls.serverCertificate", "servers[0].tls.privateKey"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "credentialName": "c", "serverCertificate": "/c", "privateKey": "/k"},
                    }
                ]
            },
            ["servers[0].tls"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "credentialName": "c", "credentialNames": ["a"]},
                    }
                ]
            },
            ["servers[0].tls"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {
                            "mode": "SIMPLE",
                            "tlsCertificates": [{"serverCertificate": "/c", "privateKey": "/k"}, {"privateKey": "k"}],
                        },
                    }
                ]
            },
            ["servers[0].tls.tlsCertificates[1].serverCertificate"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "MUTUAL", "serverCertificate": "/c", "privateKey": "/k"},
                    }
                ]
            },
            ["servers[0].tls.caCertificates"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {
                            "mode": "MUTUAL",
                            "caCertificates": "/ca",
                            "serverCertificate": "/c",
                            "privateKey": "/k",
                        },
                    }
                ]
            },
            [],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "OPTIONAL_MUTUAL", "credentialName": "c"},
                    }
                ]
            },
            [],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "caCrl": "/crl", "serverCertificate": "/c", "privateKey": "/k"},
                    }
                ]
            },
            ["servers[0].tls.caCrl"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "MUTUAL", "caCrl": "/crl", "credentialName": "c"},
                    }
                ]
            },
            ["servers[0].tls.caCrl"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "ISTIO_MUTUAL"},
                    }
                ]
            },
            [],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "ISTIO_MUTUAL", "credentialName": "c"},
                    }
                ]
            },
            ["servers[0].tls.mode"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "PASSTHROUGH"},
                    }
                ]
            },
            [],
        ),
    ],
)
def test_one_source_of_certificates_with_all_that_the_mode_needs(spec: dict[str, Any], where: list[str]) -> None:
    """A listener with half a key pair would be refused by Envoy."""
    assert errors("Gateway", spec) == where


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "PASSTHROUGH", "credentialName": "c"},
                    }
                ]
            },
            ["servers[0].tls.mode"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {
                            "mode": "SIMPLE",
                            "credentialName": "c",
                            "cipherSuites": ["AES128-SHA", "ROT13", "AES128-SHA"],
                        },
                    }
                ]
            },
            ["servers[0].tls.cipherSuites[1]", "servers[0].tls.cipherSuites[2]"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "credentialName": "c", "minProtocolVersion": "TLSV1_0"},
                    }
                ]
            },
            ["servers[0].tls.minProtocolVersion"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {
                            "mode": "SIMPLE",
                            "credentialName": "c",
                            "minProtocolVersion": "TLSV1_0",
                            "cipherSuites": ["AES128-SHA"],
                        },
                    }
                ]
            },
            [],
        ),
    ],
)
def test_settings_without_effect(spec: dict[str, Any], where: list[str]) -> None:
    """They are served, but not as they look."""
    assert errors("Gateway", spec) == []
    assert warnings("Gateway", spec) == where
