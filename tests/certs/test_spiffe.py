from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.errors import SpiffeError
from certs.spiffe import Spiffe, parse_spiffe, parse_trust_domain

_SEGMENT = st.text("aZ9._-", min_size=1, max_size=63).filter(lambda text: text not in {".", ".."})
_DOMAIN = st.text("az09._-", min_size=1, max_size=255)


@given(_DOMAIN, _SEGMENT, _SEGMENT)
def test_identity_survives_its_uri(domain: str, namespace: str, account: str) -> None:
    """Every identity is read back from its own text."""
    identity = Spiffe(trust_domain=domain, namespace=namespace, service_account=account)
    assert parse_spiffe(str(identity)) == identity


@given(st.text(max_size=60))
def test_no_text_is_repaired(text: str) -> None:
    """Whatever is accepted is written back letter by letter; everything else is a SpiffeError."""
    for uri in (text, f"spiffe://{text}", f"spiffe://td/ns/{text}", f"spiffe://td/ns/a/sa/{text}"):
        try:
            identity = parse_spiffe(uri)
        except SpiffeError:
            continue
        assert str(identity) == uri


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://",
        "https://td/ns/a/sa/b",
        "SPIFFE://td/ns/a/sa/b",
        "spiffe://TD/ns/a/sa/b",
        "spiffe://td:8080/ns/a/sa/b",
        "spiffe://user@td/ns/a/sa/b",
        "spiffe:///ns/a/sa/b",
        "spiffe://td/ns//sa/b",
        "spiffe://td/ns/../sa/b",
        "spiffe://td/ns/a/sa/",
        "spiffe://td/ns/a/sa/b/",
        "spiffe://td/ns/a/sa/b/c",
        "spiffe://td/ns/a/sa/b?x=1",
        "spiffe://td/ns/a/sa/b#x",
        "spiffe://td/ns/a%2Fb/sa/c",
        "spiffe://td/sa/a/ns/b",
        "spiffe://td/ns/a/sa/b\n",
        "spiffe://td/ns/ä/sa/b",
        "spiffe://td/ns/a/sa/" + "b" * 2048,
    ],
)
def test_strangers_are_refused(uri: str) -> None:
    """What another reader could take for a different identity is no identity."""
    with pytest.raises(SpiffeError):
        parse_spiffe(uri)


def test_parts_are_checked_too() -> None:
    """An identity cannot be made from parts that would not parse."""
    with pytest.raises(SpiffeError, match="namespace 'a/sa/admin'"):
        Spiffe(trust_domain="td", namespace="a/sa/admin", service_account="b")


def test_trust_domain_length_is_bounded() -> None:
    """A trust domain has 1 to 255 characters."""
    assert parse_trust_domain("a" * 255) == "a" * 255
    with pytest.raises(SpiffeError, match="trust domain"):
        parse_trust_domain("a" * 256)
