"""Rules of Gateway."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, ["servers"]),
        (
            {
                "servers": [
                    {
                        "port": {"number": 443, "name": "a", "protocol": "HTTPS"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "credentialName": "c"},
                    }
                ]
            },
            [],
        ),
        (
            {"servers": [{"port": {"number": 443, "name": "a", "protocol": "HTTPS"}, "hosts": ["*"]}]},
            ["servers[0].tls"],
        ),
        ({"servers": [{"port": {"number": 80, "name": "a", "protocol": "http"}, "hosts": ["*"]}]}, []),
        (
            {"servers": [{"port": {"number": 80, "name": "a", "protocol": "HTTP"}, "bind": "web", "hosts": ["*"]}]},
            ["servers[0].bind"],
        ),
        (
            {"servers": [{"port": {"number": 80, "name": "", "protocol": "HTTP"}, "hosts": ["*"]}]},
            ["servers[0].port.name"],
        ),
        (
            {"servers": [{"port": {"number": 0, "name": "a", "protocol": "SPDY"}, "hosts": ["*"]}]},
            ["servers[0].port.protocol", "servers[0].port.number"],
        ),
        (
            {
                "servers": [
                    {"port": {"number": 80, "name": "a", "protocol": "HTTP", "targetPort": 8080}, "hosts": ["*"]}
                ]
            },
            ["servers[0].port.targetPort"],
        ),
        ({"servers": [{"port": {"number": 80, "name": "a", "protocol": "HTTP"}, "hosts": []}]}, ["servers[0].hosts"]),
        (
            {
                "servers": [
                    {
                        "port": {"number": 80, "name": "a", "protocol": "HTTP"},
                        "hosts": ["a/b.c", "./*", "*/x", "a b/c", "a/b c"],
                    }
                ]
            },
            ["servers[0].hosts[3]", "servers[0].hosts[4]"],
        ),
        (
            {
                "servers": [
                    {"port": {"number": 80, "name": "a", "protocol": "HTTP"}, "hosts": ["*"], "bind": "unix:///s"}
                ]
            },
            ["servers[0].port.number"],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 80, "name": "a", "protocol": "HTTP"},
                        "hosts": ["*"],
                        "tls": {"httpsRedirect": True},
                    }
                ]
            },
            [],
        ),
        (
            {
                "servers": [
                    {
                        "port": {"number": 80, "name": "a", "protocol": "HTTP"},
                        "hosts": ["*"],
                        "tls": {"mode": "SIMPLE", "credentialName": "c"},
                    }
                ]
            },
            ["servers[0].tls"],
        ),
        (
            {"servers": [{"port": {"number": 80, "name": "a", "protocol": "TCP"}, "hosts": ["*"], "tls": {}}]},
            ["servers[0].tls"],
        ),
        (
            {
                "servers": [
                    {"port": {"number": 80, "name": "a", "protocol": "HTTP"}, "hosts": ["*"]},
                    {"port": {"number": 80, "name": "a", "protocol": "HTTP"}, "hosts": ["*"]},
                ]
            },
            ["servers[1].port.name"],
        ),
    ],
)
def test_servers(spec: dict[str, Any], where: list[str]) -> None:
    """Each has a port with a name of its own, hosts, and TLS where its protocol has it."""
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
                        "tls": {"mode": "SIMPLE", "credentialName": "c", "httpsRedirect": True},
                    }
                ]
            },
            ["servers[0].tls.httpsRedirect"],
        ),
    ],
)
def test_a_redirect_to_itself(spec: dict[str, Any], where: list[str]) -> None:
    """Redirecting to HTTPS is for HTTP."""
    assert errors("Gateway", spec) == []
    assert warnings("Gateway", spec) == where
