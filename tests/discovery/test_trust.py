"""The authority and authenticators as they are wired from settings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from certs.errors import CertsError
from certs.pem import load_certificates
from certs.spiffe import Spiffe
from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.chain import Authenticator
from discovery.auth.dev_issuer import DEV_ISSUER, DevIssuer
from discovery.auth.errors import UnauthenticatedError
from discovery.settings import FLAGS, load_settings
from discovery.trust import Trust
from tests.kit.fake_clock import FakeClock


def trust(environ: dict[str, str] | None = None, reviewer: Authenticator | None = None, **flags: Any) -> Trust:
    defaults = {flag.field: flag.default for flag in FLAGS}
    settings = load_settings({**defaults, "configDir": "/x", **flags}, {"ROOT_CA_DIR": "", **(environ or {})})
    return Trust(settings, trust_domain="cluster.local", clock=FakeClock(), reviewer=reviewer)


def credentials(token: str) -> Credentials:
    return Credentials.read(Listener.PLAINTEXT, "test", [("authorization", f"Bearer {token}")])


def test_the_serving_certificate_has_the_names_that_agents_check() -> None:
    """Istio's names, custom ones first, this machine last; signed by the authority."""
    made = trust({"ISTIOD_CUSTOM_HOST": "mesh.example", "REVISION": "canary"})
    serving = made.serving_certificate()
    (leaf,) = load_certificates(serving.chain_pem.encode(), where="test")
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    text = names.get_values_for_type(x509.DNSName)
    for name in ("mesh.example", "istiod.istio-system.svc", "istiod-canary.istio-system.svc", "localhost"):
        assert name in text
    assert serving.roots_pem.encode() == made.roots.current.roots.to_pem()


def test_files_of_the_user_are_served_as_they_are(tmp_path: Path) -> None:
    """No certificate of our own then."""
    (tmp_path / "c.pem").write_text("chain", encoding="ascii")
    (tmp_path / "k.pem").write_text("key", encoding="ascii")
    serving = trust(tlsCertFile=str(tmp_path / "c.pem"), tlsKeyFile=str(tmp_path / "k.pem")).serving_certificate()
    assert (serving.chain_pem, serving.key_pem) == ("chain", "key")


async def test_tokens_of_the_development_issuer_are_known(tmp_path: Path) -> None:
    """Only where its directory was given; others are refused."""
    directory = tmp_path / "dev"
    issuer = DevIssuer.open(directory)
    token = issuer.issue(
        namespace="shop", service_account="web", now=datetime(2024, 1, 1, tzinfo=UTC), lifetime=timedelta(days=9999)
    )
    caller = await trust(devTokenDir=str(directory)).gatekeeper.authenticate(credentials(token))
    assert [str(identity) for identity in caller.identities] == ["spiffe://cluster.local/ns/shop/sa/web"]
    with pytest.raises(UnauthenticatedError):
        await trust().gatekeeper.authenticate(credentials(token))


class Reviewer:
    """A cluster that knows one token; writes down how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        self.asked += 1
        if credentials.only("authorization") != "Bearer of-the-cluster":
            raise UnauthenticatedError("the API server does not accept the token")
        return Caller(
            kind=CallerKind.TOKEN,
            identities=(Spiffe(trust_domain="cluster.local", namespace="shop", service_account="pod"),),
        )


async def test_a_token_issuer_of_ones_own_comes_before_the_cluster(tmp_path: Path) -> None:
    """Machines show tokens of an OpenID provider, pods those of the cluster: its API server hears of those alone."""
    issuer = DevIssuer.open(tmp_path / "dev")
    (tmp_path / "keys.json").write_bytes(issuer.jwks())
    reviewer = Reviewer()
    subject = trust({"TOKEN_ISSUER": DEV_ISSUER}, reviewer, tokenKeysFile=str(tmp_path / "keys.json")).gatekeeper
    of_ours = issuer.issue(
        namespace="shop", service_account="vm", now=datetime(2024, 1, 1, tzinfo=UTC), lifetime=timedelta(days=9999)
    )
    caller = await subject.authenticate(credentials(of_ours))
    assert [str(identity) for identity in caller.identities] == ["spiffe://cluster.local/ns/shop/sa/vm"]
    assert reviewer.asked == 0
    caller = await subject.authenticate(credentials("of-the-cluster"))
    assert [str(identity) for identity in caller.identities] == ["spiffe://cluster.local/ns/shop/sa/pod"]
    with pytest.raises(UnauthenticatedError, match="the API server does not accept"):
        await subject.authenticate(credentials("of-nobody"))
    assert reviewer.asked == 2


def test_a_broken_authority_stops_the_start(tmp_path: Path) -> None:
    """It is never replaced silently: every workload would lose its trust."""
    (tmp_path / "ca-cert.pem").write_text("not a certificate", encoding="ascii")
    with pytest.raises(CertsError):
        trust({"ROOT_CA_DIR": str(tmp_path)})


def test_a_kept_authority_is_the_same_after_a_restart(tmp_path: Path) -> None:
    """Roots in a directory survive the process."""
    first = trust(caDir=str(tmp_path / "ca")).roots.current.roots
    assert trust(caDir=str(tmp_path / "ca")).roots.current.roots == first
