"""Who may look at what."""

from __future__ import annotations

import pytest

from certs.spiffe import Spiffe
from discovery.auth.caller import ANONYMOUS, Caller, CallerKind
from discovery.debug.access import Access, judge_access, may_see


def caller(namespace: str) -> Caller:
    return Caller(
        kind=CallerKind.TOKEN,
        identities=(Spiffe(trust_domain="cluster.local", namespace=namespace, service_account="someone"),),
    )


@pytest.mark.parametrize(
    ("peer", "who", "host", "access"),
    [
        ("127.0.0.1", None, "127.0.0.1:15014", Access.ALL),
        ("127.8.9.1", None, "localhost", Access.ALL),
        ("::1", None, "[::1]:15014", Access.ALL),
        ("::ffff:127.0.0.1", None, "localhost:15014", Access.ALL),
        ("127.0.0.1", None, "attacker.example:15014", Access.NOBODY),
        ("127.0.0.1", caller("shop"), "attacker.example:15014", Access.ALL),
        ("10.0.0.1", None, "localhost", Access.NOBODY),
        ("10.0.0.1", ANONYMOUS, "localhost", Access.NOBODY),
        ("not an address", None, "localhost", Access.NOBODY),
        ("10.0.0.1", caller("istio-system"), "istiod:15014", Access.ALL),
        ("10.0.0.1", caller("ops"), "istiod:15014", Access.ALL),
        ("10.0.0.1", caller("shop"), "istiod:15014", Access.NAMESPACE),
    ],
)
def test_how_far_callers_may_look(peer: str, who: Caller | None, host: str, access: Access) -> None:
    """This machine under its own name and the mesh's rulers all, known others their namespace, the rest nothing."""
    assert judge_access(peer, who, host=host, root_namespace="istio-system", allowed=["ops"]) is access


@pytest.mark.parametrize("name", ["config_dump", "edsz", "ecdsz", "ndsz", "explain", "resources"])
def test_owners_see_their_own_proxies(name: str) -> None:
    """Endpoints about one proxy are open to its namespace, and to no other."""
    assert may_see(Access.NAMESPACE, name, proxy_namespace="shop", caller=caller("shop"))
    assert not may_see(Access.NAMESPACE, name, proxy_namespace="bank", caller=caller("shop"))
    assert not may_see(Access.NAMESPACE, name, proxy_namespace="shop")


@pytest.mark.parametrize("name", ["syncz", "configz", "adsz", "registryz", "push_status", "mesh"])
def test_what_is_about_everybody_is_not_for_owners(name: str) -> None:
    """A namespace cannot list what others have."""
    assert not may_see(Access.NAMESPACE, name, proxy_namespace="shop", caller=caller("shop"))
    assert may_see(Access.ALL, name)
    assert not may_see(Access.NOBODY, name)
