from __future__ import annotations

from datetime import timedelta
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.bundle import TrustBundles
from certs.tls import KeyPair
from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.errors import UnauthenticatedError
from discovery.auth.xfcc import MAX_XFCC_BYTES, XFCC, XfccAuthenticator, parse_xfcc
from tests.kit.certs import NOW, TRUST_DOMAIN, leaf, root_ca, spiffe
from tests.kit.fake_clock import FakeClock

CA = root_ca()
OTHER = root_ca("root-2", trust_domain="other.test")
BUNDLES = TrustBundles().with_roots(TRUST_DOMAIN, CA.roots).with_roots("other.test", OTHER.roots)


def _header(pair: KeyPair, uri: str = str(spiffe())) -> str:
    """As Envoy writes it."""
    return f'Hash=ab12;Chain="{quote(pair.chain_pem(), safe="")}";Subject="";URI={uri}'


async def _authenticate(header: str, via: Listener = Listener.FRONT, *, late: timedelta = timedelta()) -> Caller | None:
    authenticator = XfccAuthenticator(lambda: BUNDLES, FakeClock(NOW + late))
    return await authenticator.authenticate(Credentials.read(via, "unix:", [(XFCC, header)] if header else []))


async def test_front_envoy_is_believed() -> None:
    """A verified client certificate is its SPIFFE identity."""
    caller = await _authenticate(_header(leaf(CA)))
    assert caller == Caller(kind=CallerKind.CLIENT_CERTIFICATE, identities=(spiffe(),))


async def test_no_header_is_no_certificate() -> None:
    """The front removes the header when the client showed none."""
    assert await _authenticate("") is None


async def test_header_on_another_listener_is_refused() -> None:
    """On a plaintext port anybody could write it."""
    with pytest.raises(UnauthenticatedError, match="anybody can write it"):
        await _authenticate(_header(leaf(CA)), Listener.PLAINTEXT)


@pytest.mark.parametrize(
    ("header", "says"),
    [
        (_header(leaf(CA)) + "," + _header(leaf(CA)), "2 elements"),
        (_header(leaf(CA), str(spiffe("shop", "admin"))), "the header tells of"),
        (_header(leaf(OTHER, str(spiffe()))), "not trusted"),
        (f"URI={spiffe()}", "no PEM block"),
        (_header(leaf(CA)) + f";URI={spiffe('shop', 'admin')}", "2 URI names"),
        ("Hash=ab12", "0 URI names"),
        (_header(leaf(CA), "https://example.test/"), "no SPIFFE id"),
        ("garbage", "without '='"),
        ('Subject="CN=a', "inside of quotes"),
        ("Hash=a;Hash=b", "hash more than once"),
        ("URI=" + "a" * MAX_XFCC_BYTES, "characters long"),
    ],
)
async def test_doubtful_headers_are_refused(header: str, says: str) -> None:
    """Anything but one verified identity is nobody."""
    with pytest.raises(UnauthenticatedError, match=says):
        await _authenticate(header)


async def test_certificate_that_expired_since_the_handshake_is_refused() -> None:
    """A connection may live longer than the certificate that opened it; a new stream needs a valid one."""
    with pytest.raises(UnauthenticatedError, match="expired"):
        await _authenticate(_header(leaf(CA)), late=timedelta(days=2))


def test_every_field_is_read() -> None:
    """Names are case-blind, quotes and escapes are undone, text is URL-decoded."""
    header = r'By=spiffe://a;Hash=12;Cert="a%0Ab";Subject="O=\"x\",CN=a;b";URI=spiffe://b;DNS=c;dns=d'
    (element,) = parse_xfcc(header)
    assert (element.by, element.hash, element.cert) == (("spiffe://a",), "12", b"a\nb")
    assert (element.subject, element.uris, element.dns_names) == ('O="x",CN=a;b', ("spiffe://b",), ("c", "d"))


@given(st.lists(st.text('ab"\\,;=é', max_size=9), min_size=1, max_size=3))
def test_subjects_survive_quoting(subjects: list[str]) -> None:
    """No subject a client chooses can forge another field or element."""
    quoted = (subject.replace("\\", "\\\\").replace('"', '\\"') for subject in subjects)
    header = ",".join(f'Subject="{subject}";URI=u' for subject in quoted)
    assert [element.subject for element in parse_xfcc(header)] == subjects
