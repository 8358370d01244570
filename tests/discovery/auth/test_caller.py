from __future__ import annotations

import pytest

from discovery.auth.caller import ANONYMOUS, Caller, CallerKind, Credentials, Listener, authorize_node
from discovery.auth.errors import ForbiddenError, UnauthenticatedError
from tests.kit.certs import spiffe

REVIEWS = Caller(kind=CallerKind.TOKEN, identities=(spiffe("shop", "reviews"),))


@pytest.mark.parametrize(("namespace", "account"), [("shop", "reviews"), ("", "reviews"), ("shop", ""), ("", "")])
def test_node_may_be_who_the_caller_is(namespace: str, account: str) -> None:
    """What the node claims must match; what it leaves out matches."""
    assert authorize_node(REVIEWS, namespace=namespace, service_account=account) == spiffe("shop", "reviews")


@pytest.mark.parametrize(
    ("namespace", "account"), [("bank", "reviews"), ("shop", "admin"), ("", "admin"), ("bank", ""), ("Shop", "reviews")]
)
def test_node_may_not_be_somebody_else(namespace: str, account: str) -> None:
    """The refusal says who the caller is, for the operator's log."""
    with pytest.raises(ForbiddenError, match=r"the caller is spiffe://cluster\.local/ns/shop/sa/reviews"):
        authorize_node(REVIEWS, namespace=namespace, service_account=account)


def test_one_of_several_identities_is_picked() -> None:
    """The one that matches is the verified one, not the first."""
    caller = Caller(kind=CallerKind.CLIENT_CERTIFICATE, identities=(spiffe("a", "b"), spiffe("shop", "reviews")))
    assert authorize_node(caller, namespace="shop", service_account="reviews") == spiffe("shop", "reviews")


def test_anonymous_is_not_verified() -> None:
    """Without a caller there is nothing to compare, and no identity comes of it."""
    assert authorize_node(ANONYMOUS, namespace="shop", service_account="reviews") is None


def test_known_caller_without_identity_is_nobody() -> None:
    """A caller that was authenticated as nothing may not be a node."""
    with pytest.raises(ForbiddenError, match="the caller is nobody"):
        authorize_node(Caller(kind=CallerKind.TOKEN), namespace="", service_account="")


def test_names_are_case_blind_and_binary_values_left_out() -> None:
    """HTTP headers and gRPC metadata are read alike."""
    credentials = Credentials.read(Listener.PLAINTEXT, "peer", [("Authorization", "x"), ("trace-bin", b"\x00")])
    assert credentials.only("authorization") == "x"
    assert credentials.only("trace-bin") == ""


def test_a_value_given_twice_is_refused() -> None:
    """Two readers could take two different ones."""
    credentials = Credentials.read(Listener.PLAINTEXT, "peer", [("authorization", "a"), ("Authorization", "b")])
    with pytest.raises(UnauthenticatedError, match="given 2 times"):
        credentials.only("authorization")


def test_tokens_are_not_printed() -> None:
    """Credentials in a log line or a traceback show no token."""
    credentials = Credentials.read(Listener.PLAINTEXT, "peer", [("authorization", "Bearer secret")])
    assert "secret" not in repr(credentials)


@pytest.mark.parametrize(
    ("via", "headers", "peer"),
    [
        (Listener.FRONT, [("x-forwarded-for", "6.6.6.6, 10.0.0.7")], "10.0.0.7"),
        (Listener.FRONT, [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "10.0.0.7")], "10.0.0.7"),
        (Listener.FRONT, [], "unix:"),
        (Listener.PLAINTEXT, [("x-forwarded-for", "6.6.6.6")], "unix:"),
    ],
)
def test_peer_behind_the_front_is_the_one_it_saw(via: Listener, headers: list[tuple[str, str]], peer: str) -> None:
    """Only what our own Envoy appended last is believed, and only behind it."""
    assert Credentials.read(via, "unix:", headers).peer == peer
