"""Rules of RequestAuthentication."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.validation import errors, warnings


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        ({}, []),
        ({"jwtRules": [{"issuer": "a"}]}, []),
        ({"jwtRules": [{}]}, ["jwtRules[0].issuer"]),
        ({"jwtRules": [{"jwksUri": "https://a.example:8443/keys"}]}, []),
        ({"jwtRules": [{"issuer": "a", "jwksUri": "ftp://a"}]}, ["jwtRules[0].jwksUri"]),
        ({"jwtRules": [{"issuer": "a", "jwksUri": "https://a:port/"}]}, ["jwtRules[0].jwksUri"]),
        ({"jwtRules": [{"issuer": "a", "jwksUri": "https://a", "jwks": '{"keys": []}'}]}, ["jwtRules[0].jwks"]),
        ({"jwtRules": [{"issuer": "a", "jwks": '{"keys": [{"kty": "RSA", "n": "x"}]}'}]}, []),
        ({"jwtRules": [{"issuer": "a", "jwks": "keys"}]}, ["jwtRules[0].jwks"]),
        ({"jwtRules": [{"issuer": "a", "jwks": '{"keys": [{}]}'}]}, ["jwtRules[0].jwks"]),
        ({"jwtRules": [{"issuer": "a", "timeout": "0.5ms"}]}, ["jwtRules[0].timeout"]),
        ({"selector": {}, "targetRef": {"kind": "Service", "name": "a"}}, ["spec"]),
    ],
)
def test_where_keys_come_from(spec: dict[str, Any], where: list[str]) -> None:
    """One place, which can be read."""
    assert errors("RequestAuthentication", spec) == where


@pytest.mark.parametrize(
    ("spec", "where"),
    [
        (
            {"jwtRules": [{"issuer": "a", "jwks": '{"keys": [{"kty": "RSA", "n": "x", "d": "y"}]}'}]},
            ["jwtRules[0].jwks"],
        ),
    ],
)
def test_a_private_key_is_told(spec: dict[str, Any], where: list[str]) -> None:
    """Whoever can read the object could make tokens."""
    assert errors("RequestAuthentication", spec) == []
    assert warnings("RequestAuthentication", spec) == where
