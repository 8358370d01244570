from __future__ import annotations

from datetime import timedelta

import pytest

from discovery.schema.meta import Kind
from discovery.schema.request_authentication import RequestAuthentication, TokenPresence
from tests.kit.manifests import istio, places


@pytest.mark.parametrize("key", ["jwksUri", "jwks_uri"])
def test_rules_of_an_issuer(key: str) -> None:
    """The old spelling of jwksUri is read too."""
    text = (
        f"jwtRules: [{{issuer: a, {key}: https://a/keys, timeout: 2s, presence: REQUIRED, fromHeaders: [{{name: x}}]}}]"
    )
    spec = istio(Kind.REQUEST_AUTHENTICATION, text).spec
    assert isinstance(spec, RequestAuthentication)
    (rule,) = spec.jwt_rules
    assert (rule.jwks_uri, rule.timeout) == ("https://a/keys", timedelta(seconds=2))
    assert rule.presence is TokenPresence.REQUIRED
    assert rule.from_headers[0].name == "x"


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("{issuer: ''}", "issuer"),
        ("{audiences: ['']}", "audiences[0]"),
        ("{fromHeaders: [{prefix: x}]}", "fromHeaders[0].name"),
        ("{outputClaimToHeaders: [{header: 'a b', claim: c}]}", "outputClaimToHeaders[0].header"),
    ],
)
def test_empty_names_are_refused(rule: str, where: str) -> None:
    """What is written must say something; what is not written is fine."""
    assert places(Kind.REQUEST_AUTHENTICATION, f"{{jwtRules: [{rule}]}}") == [f"jwtRules[0].{where}"]
