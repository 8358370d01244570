"""What the X.509 process answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from agent.x509.messages import MakeKey
from certs.csr import parse_csr
from certs.errors import CertsError
from certs.keys import KeyKind, load_key
from certs.pem import load_certificates
from tests.kit.fake_clock import FakeClock
from tests.kit.inline_x509 import P256_KEY, inline_x509
from tests.kit.mesh_ca import MeshCa

NOW = FakeClock().now()
CA = MeshCa(NOW)
X509 = inline_x509()


async def signed() -> tuple[bytes, list[str]]:
    """A key and what the CA answers to its request."""
    made = await X509.make_key(P256_KEY)
    return made.key, CA.sign(made.csr, now=NOW, lifetime=timedelta(hours=2))


@pytest.mark.parametrize("kind", list(KeyKind))
@pytest.mark.parametrize("key_format", ["traditional", "pkcs8"])
async def test_request_is_for_the_key_and_the_identity(kind: KeyKind, key_format: str) -> None:
    """Each kind of key in each form, with a request that its holder signed."""
    made = await X509.make_key(MakeKey(identity=P256_KEY.identity, kind=kind, rsa_bits=2048, key_format=key_format))
    request = parse_csr(made.csr)
    assert request.wanted_uris == (P256_KEY.identity,)
    assert request.public_key == load_key(made.key, where="test").public_key()
    assert (b"BEGIN PRIVATE KEY" in made.key) is (key_format == "pkcs8")


async def test_answer_is_taken_as_received() -> None:
    """The chain is all elements in their order, the root the last of them, expiry the leaf's."""
    key, chain = await signed()
    accepted = await X509.check_chain([chain[0], CA.root_pem.decode().rstrip(), chain[1]], key, now=NOW)
    assert accepted.chain.count(b"-----BEGIN CERTIFICATE-----\n") == 3
    assert accepted.root == CA.root_pem
    assert accepted.expiry == NOW + timedelta(hours=2)


async def test_useless_answers_are_refused() -> None:
    """Without a root, with garbage, or for another key, an answer is an error that says what is missing."""
    key, chain = await signed()
    for answer, reason in (
        ([], "invalid empty CertChain"),
        (chain[:1], "invalid empty CertChain"),
        (["garbage", chain[1]], "leaf"),
        ([chain[1], chain[1]], "answer of the CA"),
    ):
        with pytest.raises(CertsError, match=reason):
            await X509.check_chain(answer, key, now=NOW)


async def test_expired_answer_points_to_the_clocks() -> None:
    """A certificate that has already expired usually means a wrong clock."""
    key, chain = await signed()
    with pytest.raises(CertsError, match="clocks"):
        await X509.check_chain(chain, key, now=NOW + timedelta(hours=3))


async def test_pair_belongs_together() -> None:
    """A matching pair is told with its expiry, another key is refused with the names of both."""
    pair, other = CA.pair(lifetime=timedelta(hours=1)), CA.pair()
    assert (await X509.check_pair(pair.chain, pair.key, where="a with b")).expiry == NOW + timedelta(hours=1)
    with pytest.raises(CertsError, match="a with b"):
        await X509.check_pair(pair.chain, other.key, where="a with b")


async def test_roots_are_sifted_and_ordered_on_request() -> None:
    """Equal sets of roots give equal bytes, whatever the order and repetition; broken parts are findings."""
    other = MeshCa(NOW)
    broken = b"-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"
    one = await X509.check_roots(CA.root_pem, other.root_pem, where="roots", ordered=True)
    two = await X509.check_roots(other.root_pem + broken, CA.root_pem, CA.root_pem, where="roots", ordered=True)
    assert one.pem == two.pem
    assert len(load_certificates(one.pem, where="test")) == 2
    assert [finding.where.startswith("roots") for finding in two.findings] == [True]
    unordered = await X509.check_roots(other.root_pem, CA.root_pem, where="roots")
    assert unordered.pem == other.root_pem + CA.root_pem
    with pytest.raises(CertsError, match="no usable root"):
        await X509.check_roots(b"nothing", where="roots")
