from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from urllib.parse import quote

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry

from certs import pem
from certs.bundle import TrustBundle, TrustBundles, load_bundle
from certs.ca import LeafRequest, SigningCa, sign_leaf
from certs.csr import build_csr
from certs.describe import describe
from certs.keys import dump_key
from certs.path import Purpose
from certs.spiffe import Spiffe, parse_spiffe
from certs.verify import verify_peer
from discovery.auth import AuthenticatorChain, DevIssuer, JwtAuthenticator, Listener, XfccAuthenticator
from discovery.auth.caller import Caller, Credentials
from discovery.auth.errors import ForbiddenError, UndecidedError
from discovery.auth.xfcc import METADATA_OPTIONS, XFCC
from discovery.ca.metrics import CaMetrics
from discovery.ca.policy import OPAQUE_REFUSAL, CaPolicy
from discovery.ca.server import CertificateService, Impersonation
from discovery.front.service import Front, ServingCertificate
from discovery.wire.istio_ca import CREATE_CERTIFICATE, CertificateRequest, decode_response, encode_request
from tests.kit.certs import NOW, TRUST_DOMAIN, issue, key, leaf, root_ca, spiffe
from tests.kit.fake_clock import FakeClock
from tests.kit.prerequisites import envoy_binary

_KEY = key("issuer")
assert isinstance(_KEY, ec.EllipticCurvePrivateKey)
ISSUER: Final = DevIssuer(_KEY)
CA: Final = root_ca()
CSR: Final = build_csr(key(), spiffe()).decode()
TOKEN: Final = ("authorization", f"Bearer {ISSUER.issue('shop', 'reviews', now=NOW)}")

_Metadata = tuple[tuple[str, str], ...]


class _Client:
    """A real gRPC client of a real server, and the server's figures."""

    def __init__(self, channel: grpc.aio.Channel, registry: CollectorRegistry) -> None:
        self._call = channel.unary_unary(CREATE_CERTIFICATE, None, None)
        self._registry = registry
        self.ca = CA

    def through(self, channel: grpc.aio.Channel) -> _Client:
        """The same server by another way."""
        return _Client(channel, self._registry)

    async def ask(self, request: CertificateRequest, metadata: _Metadata = (TOKEN,)) -> tuple[str, ...]:
        """The elements of the answer."""
        return await self.send(encode_request(request), metadata)

    async def send(self, data: bytes, metadata: _Metadata = (TOKEN,)) -> tuple[str, ...]:
        return decode_response(await self._call(data, metadata=metadata, timeout=5))

    async def refused(self, request: CertificateRequest, metadata: _Metadata = (TOKEN,)) -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.ask(request, metadata)
        return caught.value.code(), caught.value.details() or ""

    def count(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(f"citadel_server_{name}", labels)


class _Away:
    """Cannot say whose the token `ask me later` is."""

    async def authenticate(self, credentials: Credentials) -> Caller | None:
        if credentials.only("authorization") == "Bearer ask me later":
            raise UndecidedError("the API server is away")
        return None


class _ShopMayBeBank:
    """Lets the namespace `shop` act as `bank`."""

    def authorize(self, caller: Caller, wanted: str) -> Spiffe:
        if caller.identities[0].namespace == "shop" and parse_spiffe(wanted).namespace == "bank":
            return parse_spiffe(wanted)
        raise ForbiddenError("no")


@asynccontextmanager
async def _serving(
    tmp_path: Path,
    via: Listener = Listener.PLAINTEXT,
    *,
    threads: int = 2,
    ca: SigningCa = CA,
    start: datetime = NOW,
    impersonation: Impersonation | None = None,
) -> AsyncIterator[_Client]:
    """The service on a Unix socket; `via` is the door it is told to be."""
    registry, clock = CollectorRegistry(), FakeClock(start)
    bundles = TrustBundles().with_roots(TRUST_DOMAIN, ca.roots)
    chain = AuthenticatorChain(
        [
            XfccAuthenticator(lambda: bundles, clock),
            _Away(),
            JwtAuthenticator(ISSUER.rule(), trust_domain=TRUST_DOMAIN, clock=clock),
        ]
    )
    server = grpc.aio.server(options=METADATA_OPTIONS)
    address = f"unix:{tmp_path}/ca.sock"
    server.add_insecure_port(address)
    with ThreadPoolExecutor(threads) as executor:
        async with grpc.aio.insecure_channel(address, options=METADATA_OPTIONS) as channel:
            client = _Client(channel, registry)
            client.ca = ca
            service = CertificateService(
                chain,
                lambda: client.ca,
                policy=CaPolicy(),
                metrics=CaMetrics(registry, ca=lambda: CA, clock=clock),
                clock=clock,
                executor=executor,
                impersonation=impersonation,
            )
            server.add_generic_rpc_handlers((service.handler(via),))
            await server.start()
            try:
                yield client
            finally:
                await server.stop(None)


async def test_certificate_for_a_token(tmp_path: Path) -> None:
    """The answer is leaf, then the root bundle; the leaf proves the caller's identity to a peer."""
    async with _serving(tmp_path) as client:
        first, bundle = await client.ask(CertificateRequest(csr=CSR, validity_s=3600, metadata={"CertSigner": ""}))
    certificates = pem.load_certificates(first.encode(), where="leaf")
    trusted = TrustBundles().with_roots(TRUST_DOMAIN, load_bundle(bundle.encode(), where="roots")[0])
    identity = verify_peer(certificates, trusted, at=NOW, purpose=Purpose.CLIENT, where="leaf")
    assert identity == spiffe()
    assert certificates[0].not_valid_after_utc == NOW + timedelta(hours=1)
    assert (client.count("csr_count"), client.count("success_cert_issuance_count")) == (1, 1)


async def test_csr_of_another_gets_the_callers_own_identity(tmp_path: Path) -> None:
    """Asking for somebody else's name is in vain."""
    async with _serving(tmp_path) as client:
        csr = build_csr(key(), spiffe("istio-system", "istiod")).decode()
        chain = await client.ask(CertificateRequest(csr=csr))
    facts = describe(pem.load_certificates(chain[0].encode(), where="leaf")[0])
    assert facts.names == (str(spiffe()),)


async def test_every_intermediate_is_an_element_and_the_roots_are_one(tmp_path: Path) -> None:
    """Agents take the last element for the roots, so that a bundle of two must not be taken apart."""
    extension = (x509.BasicConstraints(ca=True, path_length=None), True)
    root = issue("root", ("root", key("root")), [extension])
    middle = issue("middle", ("root", key("root")), [extension])
    lower = issue("lower", ("middle", key("middle")), [extension])
    async with _serving(tmp_path) as client:
        client.ca = SigningCa(
            key=key("lower"),
            certificate=lower,
            intermediates=(lower, middle),
            roots=TrustBundle((root, CA.certificate)),
            valid_until=lower.not_valid_after_utc,
        )
        chain = await client.ask(CertificateRequest(csr=CSR))
    loaded = [pem.load_certificates(element.encode(), where="element") for element in chain]
    assert loaded[1:] == [(lower,), (middle,), (root, CA.certificate)]
    assert all(element.endswith("-----END CERTIFICATE-----\n") for element in chain)


async def test_client_certificate_through_the_front(tmp_path: Path) -> None:
    """A workload without a token renews with the certificate it has, long chain or short."""
    chain_pem = leaf(CA).chain_pem() + CA.certificate_pem() * 32
    header = f'Hash=ab;Chain="{quote(chain_pem, safe="")}";URI={spiffe()}'
    assert len(header) > 16384
    async with _serving(tmp_path, Listener.FRONT) as client:
        chain = await client.ask(CertificateRequest(csr=CSR), ((XFCC, header),))
    assert describe(pem.load_certificates(chain[0].encode(), where="leaf")[0]).names == (str(spiffe()),)


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Bearer nonsense"),),
        (TOKEN, TOKEN),
        ((XFCC, f'Hash=ab;Chain="{quote(leaf(CA).chain_pem(), safe="")}";URI={spiffe()}'),),
        (("authorization", f"Bearer {ISSUER.issue('shop', 'reviews', now=NOW, lifetime=timedelta())}"),),
    ],
    ids=["nothing", "nonsense", "twice", "forged header", "expired"],
)
async def test_strangers_are_told_nothing(tmp_path: Path, metadata: _Metadata) -> None:
    """Unauthenticated with an opaque text, and counted; the forged header came without our front."""
    async with _serving(tmp_path) as client:
        assert await client.refused(CertificateRequest(csr=CSR), metadata) == (
            grpc.StatusCode.UNAUTHENTICATED,
            OPAQUE_REFUSAL,
        )
        assert client.count("authentication_failure_count") == 1
        assert client.count("success_cert_issuance_count") == 0


async def test_impersonation_is_refused(tmp_path: Path) -> None:
    """No identity but one's own, whatever the metadata says."""
    async with _serving(tmp_path) as client:
        request = CertificateRequest(csr=CSR, metadata={"ImpersonatedIdentity": str(spiffe("bank", "admin"))})
        assert await client.refused(request) == (grpc.StatusCode.UNAUTHENTICATED, OPAQUE_REFUSAL)
        assert client.count("authentication_failure_count") == 1


async def test_node_proxy_gets_the_certificate_of_its_workload(tmp_path: Path) -> None:
    """Who may act as another gets that identity and no other; who may not gets none."""
    async with _serving(tmp_path, impersonation=_ShopMayBeBank()) as client:
        admin = spiffe("bank", "admin")
        request = CertificateRequest(csr=CSR, metadata={"ImpersonatedIdentity": str(admin), "Other": "x"})
        chain = await client.ask(request)
        bundles = TrustBundles().with_roots(TRUST_DOMAIN, CA.roots)
        proven = verify_peer(
            pem.load_certificates(chain[0].encode(), where="leaf"), bundles, at=NOW, purpose=Purpose.CLIENT, where="t"
        )
        assert proven == admin
        other = CertificateRequest(csr=CSR, metadata={"ImpersonatedIdentity": str(spiffe("shop", "admin"))})
        assert await client.refused(other) == (grpc.StatusCode.UNAUTHENTICATED, OPAQUE_REFUSAL)


async def test_caller_who_cannot_be_judged_now_is_told_to_come_back(tmp_path: Path) -> None:
    """UNAVAILABLE, and no certificate: agents try again by themselves."""
    async with _serving(tmp_path) as client:
        code, details = await client.refused(CertificateRequest(csr=CSR), (("authorization", "Bearer ask me later"),))
        assert code is grpc.StatusCode.UNAVAILABLE
        assert "try again" in details
        assert client.count("authentication_failure_count") == 1
        assert client.count("success_cert_issuance_count") == 0


@pytest.mark.parametrize(
    ("request_", "says", "label"),
    [
        (CertificateRequest(csr="hello"), "unable to parse the CSR", "CSR_ERROR"),
        (CertificateRequest(csr=CSR, validity_s=10**9), "above the maximum", "TTL_ERROR"),
    ],
)
async def test_bad_requests_are_the_callers_fault(
    tmp_path: Path, request_: CertificateRequest, says: str, label: str
) -> None:
    """INVALID_ARGUMENT with a reason, for it is the authenticated caller's own mistake."""
    async with _serving(tmp_path) as client:
        code, details = await client.refused(request_)
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert says in details
        assert client.count("csr_sign_err_count", error=label) == 1


async def test_malformed_message_is_the_callers_fault(tmp_path: Path) -> None:
    """Bytes that are no message are refused like a bad CSR."""
    async with _serving(tmp_path) as client:
        with pytest.raises(grpc.aio.AioRpcError, match="malformed request"):
            await client.send(b"\x0a\x7f")
        assert client.count("csr_parsing_err_count") == 1


async def test_expired_ca_is_our_fault(tmp_path: Path) -> None:
    """INTERNAL, with the words agents know."""
    async with _serving(tmp_path) as client:
        client.ca = root_ca("short", now=NOW - timedelta(days=5000))
        code, details = await client.refused(CertificateRequest(csr=CSR))
        assert code is grpc.StatusCode.INTERNAL
        assert details.startswith("CSR signing error")
        assert client.count("csr_sign_err_count", error="CERT_GEN_ERROR") == 1


async def test_flood_is_told_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the signing thread busy and the waiting room full, more requests are refused at once, and later served."""
    busy = threading.Event()
    monkeypatch.setattr("discovery.ca.server._MAX_WAITING", 4)
    async with _serving(tmp_path, threads=1) as client:
        real = client.ca

        class _Slow:
            """Signing that takes until the test says."""

            def __getattr__(self, name: str) -> object:
                assert busy.wait(5)
                return getattr(real, name)

        client.ca = _Slow()  # type: ignore[assignment]  # behaves like it, later
        async with asyncio.TaskGroup() as group:
            asked = asyncio.as_completed([group.create_task(_outcome(client)) for _ in range(10)], timeout=5)
            first = [await next(asked) for _ in range(6)]
            busy.set()
            later = [await outcome for outcome in asked]
        assert {*first} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
        assert {*later} == {grpc.StatusCode.OK}
        assert client.count("csr_sign_err_count", error="OVERLOADED") == 6
        assert await client.ask(CertificateRequest(csr=CSR))


async def _outcome(client: _Client) -> grpc.StatusCode:
    try:
        await client.ask(CertificateRequest(csr=CSR))
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@pytest.mark.envoy
async def test_real_front_tells_of_verified_certificates_only(tmp_path: Path) -> None:
    """Through our Envoy: a certificate with a long chain renews itself, a forged header and no proof are nobody."""
    now = datetime.now(UTC).replace(microsecond=0)
    ca = root_ca("live", now=now)
    request = LeafRequest(public_key=key("front").public_key(), dns_names=("istiod",), lifetime=timedelta(days=1))
    serving = ServingCertificate(
        pem.dump_certificate(sign_leaf(ca, request, now=now, serial=3)).decode(),
        dump_key(key("front")).decode(),
        ca.roots.to_pem().decode(),
    )
    pair = leaf(ca, now=now)
    forged = (XFCC, f'Hash=ab;Chain="{quote(pair.chain_pem(), safe="")}";URI={spiffe()}')
    async with _serving(tmp_path, Listener.FRONT, ca=ca, start=now) as client:
        binary = str(envoy_binary())
        upstream = str(tmp_path / "ca.sock")
        async with Front(
            binary=binary, host="127.0.0.1", port=0, upstream_path=upstream, certificate=lambda: serving
        ) as front:
            chain_pem = pair.chain_pem() + ca.certificate_pem() * 8
            proven = grpc.ssl_channel_credentials(ca.roots.to_pem(), pair.key_pem(), chain_pem)
            nobody = grpc.ssl_channel_credentials(ca.roots.to_pem())
            options = (("grpc.ssl_target_name_override", "istiod"),)
            target = f"127.0.0.1:{front.port}"
            async with (
                grpc.aio.secure_channel(target, proven, options) as with_certificate,
                grpc.aio.secure_channel(target, nobody, options) as without,
            ):
                chain = await client.through(with_certificate).ask(CertificateRequest(csr=CSR), ())
                refusals = [
                    await client.through(without).refused(CertificateRequest(csr=CSR), metadata)
                    for metadata in ((), (forged,))
                ]
    assert describe(pem.load_certificates(chain[0].encode(), where="leaf")[0]).names == (str(spiffe()),)
    assert refusals == [(grpc.StatusCode.UNAUTHENTICATED, OPAQUE_REFUSAL)] * 2


async def test_secrets_are_not_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither token nor CSR appears in what is printed, in success and refusal."""
    async with _serving(tmp_path) as client:
        await client.ask(CertificateRequest(csr=CSR))
        await client.refused(CertificateRequest(csr=CSR.replace("REQUEST", "THING")))
        await client.refused(CertificateRequest(csr=CSR), (("authorization", TOKEN[1][:-4] + "AAAA"),))
    printed = "".join(capsys.readouterr())
    assert "refused" in printed
    assert TOKEN[1].split(".")[1] not in printed
    assert CSR.splitlines()[1] not in printed
