"""TLS contexts of the mesh."""

from __future__ import annotations

import pytest

from discovery.translate.tls import exact_sans, trust_domain_sans


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("spiffe://cluster.local/ns/a/sa/b", "URI"),
        ("api.example.com", "DNS"),
        ("10.0.0.1", "IP_ADDRESS"),
        ("ops@example.com", "EMAIL"),
    ],
)
def test_the_form_of_a_name_says_its_kind(name: str, kind: str) -> None:
    """Envoy compares a name with names of the same kind only."""
    assert exact_sans([name]) == [{"san_type": kind, "matcher": {"exact": name}}]


def test_a_trust_domain_is_a_prefix_with_its_slash() -> None:
    """Without the slash ``prod`` would take ``prod.evil.example`` for its own."""
    assert trust_domain_sans(["a", "b", "a"]) == [
        {"san_type": "URI", "matcher": {"prefix": "spiffe://a/"}},
        {"san_type": "URI", "matcher": {"prefix": "spiffe://b/"}},
    ]
