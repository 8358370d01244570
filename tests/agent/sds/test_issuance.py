"""What an answer of the CA means, and when to ask next."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.sds.issuance import Schedule, accept_answer, merge_roots
from certs.csr import build_csr
from certs.errors import CertsError, PemError
from certs.keys import KeyFormat, KeyKind, generate_key, load_key
from certs.pem import load_certificates
from certs.spiffe import parse_spiffe
from tests.kit.fake_clock import FakeClock
from tests.kit.mesh_ca import MeshCa

CLOCK = FakeClock()
NOW = CLOCK.now()
IDENTITY = parse_spiffe("spiffe://cluster.local/ns/default/sa/app")
CA = MeshCa(NOW)
KEY = generate_key(KeyKind.P256)
CHAIN = CA.sign(build_csr(KEY, IDENTITY), now=NOW, lifetime=timedelta(hours=2))


def test_answer_is_taken_as_received() -> None:
    """The chain is all elements in their order, the root the last of them, expiry the leaf's."""
    issued = accept_answer(
        [*CHAIN[:1], CA.root_pem.decode().rstrip(), CHAIN[1]], KEY, key_format=KeyFormat.PKCS8, now=NOW
    )
    assert issued.pair.chain.count(b"BEGIN CERTIFICATE") == 3
    assert issued.pair.chain.count(b"-----BEGIN CERTIFICATE-----\n") == 3
    assert issued.root == CA.root_pem
    assert issued.expiry == NOW + timedelta(hours=2)
    assert issued.pair.key.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert load_key(issued.pair.key, where="test").public_key() == KEY.public_key()


@pytest.mark.parametrize(
    ("chain", "reason"),
    [
        ([], "invalid empty CertChain"),
        (CHAIN[:1], "invalid empty CertChain"),
        (["garbage", CHAIN[1]], "leaf"),
        ([CHAIN[1], CHAIN[1]], "answer of the CA"),
    ],
)
def test_useless_answers_are_refused(chain: list[str], reason: str) -> None:
    """Without a root, with garbage, or for another key, an answer is an error that says what is missing."""
    with pytest.raises(CertsError, match=reason):
        accept_answer(chain, KEY, key_format=KeyFormat.TRADITIONAL, now=NOW)


def test_expired_answer_points_to_the_clocks() -> None:
    """A certificate that has already expired usually means a wrong clock."""
    with pytest.raises(CertsError, match="clocks"):
        accept_answer(CHAIN, KEY, key_format=KeyFormat.TRADITIONAL, now=NOW + timedelta(hours=3))


def test_roots_are_merged_sorted_and_deduplicated() -> None:
    """Equal sets of roots give equal bytes, whatever the order and repetition; broken parts are findings."""
    other = MeshCa(NOW)
    one, _ = merge_roots(CA.root_pem, other.root_pem)
    two, findings = merge_roots(
        other.root_pem + b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", CA.root_pem, CA.root_pem
    )
    assert one == two
    assert len(load_certificates(one, where="test")) == 2
    assert len(findings) == 1
    with pytest.raises(PemError):
        merge_roots(b"nothing")


def test_renewal_at_half_life_then_backoff_then_renewal() -> None:
    """Due at once, then at half life; failures delay by growing steps; a success resets them."""
    issued = accept_answer(CHAIN, KEY, key_format=KeyFormat.TRADITIONAL, now=NOW)
    schedule = Schedule(now=NOW, grace_ratio=0.5, jitter=0.0)
    assert schedule.due == NOW
    delays = [schedule.on_failed(NOW, spread=0.0) for _ in range(3)]
    assert delays == sorted(delays)
    assert len(set(delays)) == 3
    schedule.on_issued(issued, spread=0.9)
    assert schedule.due == NOW + timedelta(hours=1)
    assert schedule.on_failed(NOW, spread=0.0) == delays[0]
    schedule.hasten(NOW - timedelta(hours=1))
    assert schedule.due == NOW - timedelta(hours=1)
