from __future__ import annotations

import ipaddress

import pytest
from cryptography import x509

from certs.constraints import broken_constraint
from tests.kit.certs import issue, key

_URI = x509.UniformResourceIdentifier
_DNS = x509.DNSName


def _ip(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_address(text))


def _network(text: str) -> x509.IPAddress:
    return x509.IPAddress(ipaddress.ip_network(text))


@pytest.mark.parametrize(
    ("name", "tree", "inside"),
    [
        (_URI("spiffe://prod.test/ns/a/sa/b"), _URI("prod.test"), True),
        (_URI("spiffe://prod.test/ns/a/sa/b"), _URI("PROD.test"), True),
        (_URI("spiffe://sub.prod.test/ns/a/sa/b"), _URI("prod.test"), False),
        (_URI("spiffe://sub.prod.test/ns/a/sa/b"), _URI(".prod.test"), True),
        (_URI("spiffe://evilprod.test/ns/a/sa/b"), _URI("prod.test"), False),
        (_URI("spiffe://evil.test/prod.test"), _URI("prod.test"), False),
        (_DNS("prod.test"), _DNS("prod.test"), True),
        (_DNS("a.b.prod.test"), _DNS("prod.test"), True),
        (_DNS("evilprod.test"), _DNS("prod.test"), False),
        (_DNS("anything"), _DNS(""), True),
        (_ip("10.1.2.3"), _network("10.1.0.0/16"), True),
        (_ip("10.2.2.3"), _network("10.1.0.0/16"), False),
        (_ip("::1"), _network("10.1.0.0/16"), False),
    ],
)
def test_subtrees(name: x509.GeneralName, tree: x509.GeneralName, inside: bool) -> None:
    """A permitted subtree lets in what an excluded one keeps out."""
    certificate = issue("leaf", ("root", key("root")), [(x509.SubjectAlternativeName([name]), True)])
    assert (broken_constraint(certificate, x509.NameConstraints([tree], None)) == "") is inside
    assert (broken_constraint(certificate, x509.NameConstraints(None, [tree])) == "") is not inside


def test_other_kinds_of_names_are_free() -> None:
    """A constraint on URIs says nothing of DNS names (RFC 5280)."""
    certificate = issue("leaf", ("root", key("root")), [(x509.SubjectAlternativeName([_DNS("a.test")]), True)])
    assert broken_constraint(certificate, x509.NameConstraints([_URI("prod.test")], None)) == ""


def test_kinds_that_cannot_be_judged_are_refused() -> None:
    """A constraint we do not understand is not ignored, permitted or excluded alike."""
    mail = x509.RFC822Name("a@prod.test")
    certificate = issue("leaf", ("root", key("root")), [(x509.SubjectAlternativeName([mail]), True)])
    assert "permits" in broken_constraint(certificate, x509.NameConstraints([mail], None))
    assert "excluded" in broken_constraint(certificate, x509.NameConstraints(None, [mail]))
