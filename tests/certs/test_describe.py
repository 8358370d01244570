from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509

from certs.describe import describe, extension, is_expired, subject_of, uris_of
from certs.errors import VerifyError
from certs.keys import KeyKind
from tests.kit.certs import NOW, issue, key, leaf, root_ca, spiffe

LEAF = leaf(root_ca()).leaf


def test_facts_of_a_leaf() -> None:
    """Everything an operator asks for, as plain values."""
    facts = describe(LEAF)
    assert facts.only_name(where="x") == str(spiffe())
    assert facts.lifetime == timedelta(hours=24, minutes=2)
    assert (facts.issuer_organization, facts.serial, facts.rsa_bits) == ("cluster.local", "2", 0)


def test_absent_extensions_give_empty_values() -> None:
    """A certificate that says nothing is described by nothing."""
    facts = describe(issue("bare", ("root", key("root")), own=key("rsa", KeyKind.RSA)))
    assert (facts.names, facts.has_sans, facts.key_usage, facts.extended_key_usage, facts.is_ca) == (
        (),
        False,
        (),
        (),
        False,
    )
    assert facts.rsa_bits == 2048
    with pytest.raises(VerifyError, match="no SAN extension"):
        facts.only_name(where="x")


def test_two_names_are_not_one() -> None:
    """The one name is an error where there are more."""
    names = x509.SubjectAlternativeName([x509.DNSName("a"), x509.DNSName("b")])
    facts = describe(issue("two", ("root", key("root")), [(names, False)]))
    with pytest.raises(VerifyError, match="2 names"):
        facts.only_name(where="x")


def test_people_get_some_name() -> None:
    """Subject, else names, else the serial number."""
    assert subject_of(issue("a", ("root", key("root")))) == "CN=a"
    assert subject_of(LEAF) == str(spiffe())


def test_expiry_is_after_the_last_instant() -> None:
    """A certificate is valid through NotAfter itself."""
    assert not is_expired(LEAF, at=LEAF.not_valid_after_utc)
    assert is_expired(LEAF, at=LEAF.not_valid_after_utc + timedelta(seconds=1))
    assert not is_expired(LEAF, at=NOW)


def test_extension_by_kind() -> None:
    """Present gives its value, absent None."""
    assert extension(LEAF, x509.NameConstraints) is None
    assert extension(LEAF, x509.KeyUsage) is not None
    assert uris_of(LEAF) == (str(spiffe()),)
