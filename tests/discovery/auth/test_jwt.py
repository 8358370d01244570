from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from discovery.auth.caller import Caller, CallerKind, Credentials, Listener
from discovery.auth.dev_issuer import DEV_ISSUER, DevIssuer
from discovery.auth.errors import UnauthenticatedError
from discovery.auth.jwks import encode_base64url
from discovery.auth.jwt import JwtAuthenticator, bearer_token
from tests.kit.certs import NOW, TRUST_DOMAIN, key, spiffe
from tests.kit.fake_clock import FakeClock

_KEY = key("issuer")
assert isinstance(_KEY, ec.EllipticCurvePrivateKey)
ISSUER = DevIssuer(_KEY)
_GOOD: dict[str, object] = {
    "iss": DEV_ISSUER,
    "sub": "system:serviceaccount:shop:reviews",
    "aud": ["istio-ca"],
    "exp": NOW.timestamp() + 60,
}


def _token(**changes: object) -> str:
    """A token with any claims, rightly signed; None leaves a claim out."""
    claims = {name: value for name, value in {**_GOOD, **changes}.items() if value is not None}
    body = ".".join(encode_base64url(msgspec.json.encode(part)) for part in ({"alg": "ES256"}, claims))
    assert isinstance(_KEY, ec.EllipticCurvePrivateKey)
    r, s = decode_dss_signature(_KEY.sign(body.encode(), ec.ECDSA(SHA256())))
    return f"{body}.{encode_base64url(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


async def _authenticate(header: str, *, late: timedelta = timedelta(), via: Listener = Listener.FRONT) -> Caller | None:
    authenticator = JwtAuthenticator(ISSUER.rule(), trust_domain=TRUST_DOMAIN, clock=FakeClock(NOW + late))
    return await authenticator.authenticate(Credentials.read(via, "peer", [("authorization", header)]))


@pytest.mark.parametrize("via", list(Listener))
async def test_token_is_its_service_account(via: Listener) -> None:
    """A good token proves its bearer on every listener."""
    token = ISSUER.issue("shop", "reviews", now=NOW)
    assert await _authenticate(f"Bearer {token}", via=via) == Caller(kind=CallerKind.TOKEN, identities=(spiffe(),))


@pytest.mark.parametrize("header", ["", "Basic abc", "Bearer", "Bearer  ", "token"])
async def test_no_bearer_is_no_token(header: str) -> None:
    """Other schemes are somebody else's business."""
    assert await _authenticate(header) is None


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_scheme_is_case_blind(scheme: str) -> None:
    """RFC 7235."""
    assert bearer_token(Credentials.read(Listener.FRONT, "peer", [("authorization", f"{scheme} abc ")])) == "abc"


async def test_expired_token_is_refused() -> None:
    """From the second of its expiry on."""
    token = ISSUER.issue("shop", "reviews", now=NOW, lifetime=timedelta(minutes=10))
    assert await _authenticate(f"Bearer {token}", late=timedelta(minutes=10, seconds=-1))
    with pytest.raises(UnauthenticatedError, match="expired 0 s ago"):
        await _authenticate(f"Bearer {token}", late=timedelta(minutes=10))


@pytest.mark.parametrize("audience", ["istio-ca", ["other", "istio-ca"]])
async def test_audience_may_be_one_or_many(audience: object) -> None:
    """RFC 7519 allows a string and a list."""
    assert await _authenticate(f"Bearer {_token(aud=audience)}")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"iss": "somebody"}, "issued by 'somebody'"),
        ({"iss": None}, "issued by ''"),
        ({"aud": "api-server"}, "for api-server, want istio-ca"),
        ({"aud": None}, "for nobody"),
        ({"aud": 7}, "not what RFC 7519 wants"),
        ({"exp": None}, "does not say when"),
        ({"exp": "soon"}, "not what RFC 7519 wants"),
        ({"nbf": NOW.timestamp() + 60}, "valid only in 60 s"),
        ({"sub": "admin"}, "subject is 'admin'"),
        ({"sub": "system:serviceaccount:shop"}, "subject is"),
        ({"sub": "system:serviceaccount:shop:"}, "service account ''"),
        ({"sub": "system:serviceaccount:shop:a/b"}, "service account 'a/b'"),
        ({"sub": "system:serviceaccount::a"}, "namespace ''"),
        ({"sub": "xsystem:serviceaccount:shop:a"}, "subject is"),
    ],
)
async def test_claims_are_checked(changes: dict[str, object], says: str) -> None:
    """A rightly signed token for something else is refused; the reason holds no token."""
    with pytest.raises(UnauthenticatedError, match=says):
        await _authenticate(f"Bearer {_token(**changes)}")


@pytest.mark.parametrize("part", [0, 1])
async def test_a_token_that_is_nested_too_deeply_is_refused(part: int) -> None:
    """Whoever sends it knows no key, and must not get further than others who know none."""
    parts = _token().split(".")
    parts[part] = encode_base64url(b'{"alg":"ES256","x":%s}' % (b"[" * 4000 + b"]" * 4000))
    with pytest.raises(UnauthenticatedError, match=r"not base64url of JSON|not what RFC 7519 wants"):
        await _authenticate(f"Bearer {'.'.join(parts)}")


async def test_small_clock_skew_is_forgiven() -> None:
    """An issuer a few seconds ahead of us is no attack."""
    assert await _authenticate(f"Bearer {_token(nbf=NOW.timestamp() + 4)}")
