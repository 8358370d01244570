"""JWT_RULE: what it may say, and what must not be taken for a rule."""

from __future__ import annotations

import json

import pytest

from discovery.auth.oidc_rule import OidcRule, OidcRuleError, parse_oidc_rule, url_fault
from tests.kit.token_issuer import SigningKey

ISSUER = "https://id.example.org/realms/mesh"
KEYS = {"keys": [SigningKey("inline").jwk()]}


@pytest.mark.parametrize("name", ["jwks_uri", "jwksUri"])
def test_a_rule_is_read(name: str) -> None:
    """Both spellings that Istio's users have."""
    text = json.dumps({"issuer": "accounts", "audiences": ["a", "b"], name: "https://id.example.org/keys"})
    expected = OidcRule(
        issuer="accounts", audiences=frozenset({"a", "b"}), jwks_uri="https://id.example.org/keys", keys=()
    )
    assert parse_oidc_rule(text) == expected


@pytest.mark.parametrize("jwks", [KEYS, json.dumps(KEYS)])
def test_keys_may_be_in_the_rule(jwks: object) -> None:
    """As text, which Istio's API has, or as they are; the issuer need not be a URL then."""
    rule = parse_oidc_rule(json.dumps({"issuer": "offline", "audiences": ["a"], "jwks": jwks}))
    assert [key.key_id for key in rule.keys] == ["inline"]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{", "truncated"),
        ("[]", "Expected `object`"),
        ('{"x":' + "[" * 2000, "recursion"),
        ({"audiences": ["a"]}, "issuer"),
        ({"issuer": "", "audiences": ["a"]}, "issuer is empty"),
        ({"issuer": ISSUER}, "audiences are missing"),
        ({"issuer": ISSUER, "audiences": [""]}, "audiences are missing"),
        ({"issuer": ISSUER, "audience": ["a"]}, "unknown field `audience`"),
        ({"issuer": "accounts", "audiences": ["a"]}, "without jwks_uri .* no URL"),
        ({"issuer": "http://id.example.org", "audiences": ["a"]}, "is not https"),
        ({"issuer": ISSUER, "audiences": ["a"], "jwks_uri": "file:///etc/passwd"}, "jwks_uri .* no URL"),
        ({"issuer": ISSUER, "audiences": ["a"], "jwks_uri": "https://x/k", "jwks": KEYS}, "both"),
        ({"issuer": ISSUER, "audiences": ["a"], "jwks": "{}"}, "not a JWK set"),
        ({"issuer": ISSUER, "audiences": ["a"], "jwks": {"keys": []}}, "none of its 0 keys"),
    ],
)
def test_what_is_no_rule_says_what_is_wanted(rule: object, said: str) -> None:
    """A rule that would let in more than was meant is none."""
    with pytest.raises(OidcRuleError, match=said):
        parse_oidc_rule(rule if isinstance(rule, str) else json.dumps(rule))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("https://id.example.org/keys", ""),
        ("http://127.0.0.1:8080/keys", ""),
        ("http://[::1]/keys", ""),
        ("http://localhost/keys", ""),
        ("http://10.0.0.1/keys", "not https"),
        ("http://localhost.example.org/keys", "not https"),
        ("ftp://id.example.org", "no URL of the form"),
        ("https:///keys", "no URL of the form"),
        ("https://id.example.org:99999/", "no URL"),
        ("https://id.example.org/#a", "fragment"),
        ("", "no URL"),
    ],
)
def test_keys_come_over_tls_or_from_this_machine(url: str, fault: str) -> None:
    """Whoever can change the keys on their way is anybody in the mesh."""
    assert fault in url_fault(url)
    assert bool(fault) == bool(url_fault(url))


def test_a_password_in_a_url_is_refused_without_being_said() -> None:
    """The fault is for logs."""
    assert "secret" not in url_fault("https://user:secret@id.example.org/")
    assert url_fault("https://user:secret@id.example.org/")
