from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.csr import build_csr
from discovery.auth.caller import ANONYMOUS, Caller, CallerKind
from discovery.ca.policy import OPAQUE_REFUSAL, CaPolicy, Grant, Refusal, RefusalKind, judge_request
from discovery.wire.istio_ca import CertificateRequest
from tests.kit.certs import key, spiffe

CALLER = Caller(kind=CallerKind.TOKEN, identities=(spiffe(),))
CSR = build_csr(key(), spiffe()).decode()
POLICY = CaPolicy()
_DAYS_90 = 90 * 24 * 3600


def _refused(request: CertificateRequest, caller: Caller = CALLER) -> Refusal:
    verdict = judge_request(caller, request, POLICY)
    assert isinstance(verdict, Refusal)
    return verdict


@given(st.sampled_from(["shop", "bank", "istio-system"]), st.sampled_from(["reviews", "admin"]))
def test_names_are_the_callers_whatever_the_csr_says(namespace: str, account: str) -> None:
    """A request for anybody gives the caller's own identity, and nothing else."""
    csr = build_csr(key(), spiffe(namespace, account)).decode()
    verdict = judge_request(CALLER, CertificateRequest(csr=csr), POLICY)
    assert isinstance(verdict, Grant)
    assert verdict.leaf.uris == (str(spiffe()),)
    assert verdict.leaf.dns_names == verdict.leaf.ip_addresses == ()
    assert verdict.leaf.public_key == key().public_key()


@pytest.mark.parametrize(
    ("validity_s", "lifetime"),
    [
        (0, timedelta(hours=24)),
        (-(2**63), timedelta(hours=24)),
        (1, timedelta(seconds=1)),
        (_DAYS_90, timedelta(days=90)),
    ],
)
def test_lifetime_is_the_wanted_one_or_the_default(validity_s: int, lifetime: timedelta) -> None:
    """Zero and less leave it to the CA; up to ninety days may be asked for."""
    verdict = judge_request(CALLER, CertificateRequest(csr=CSR, validity_s=validity_s), POLICY)
    assert isinstance(verdict, Grant)
    assert verdict.leaf.lifetime == lifetime


@pytest.mark.parametrize("validity_s", [_DAYS_90 + 1, 2**63 - 1])
def test_too_long_a_life_is_refused(validity_s: int) -> None:
    """Not shortened silently; the answer says what is allowed."""
    refusal = _refused(CertificateRequest(csr=CSR, validity_s=validity_s))
    assert refusal.kind is RefusalKind.TTL_TOO_LONG
    assert "maximum of 7776000 s" in refusal.answer


def test_impersonation_is_refused_without_detail() -> None:
    """The caller learns nothing; the log names both, and is not filled by the caller."""
    wanted = str(spiffe("bank", "admin"))
    refusal = _refused(CertificateRequest(csr=CSR, metadata={"ImpersonatedIdentity": wanted}))
    assert (refusal.kind, refusal.answer) == (RefusalKind.IMPERSONATION, OPAQUE_REFUSAL)
    assert wanted in refusal.reason
    flood = _refused(CertificateRequest(csr=CSR, metadata={"ImpersonatedIdentity": "x" * 10**6}))
    assert len(flood.reason) < 400


@pytest.mark.parametrize("metadata", [{}, {"CertSigner": ""}, {"CertSigner": "x"}, {"ImpersonatedIdentity": ""}])
def test_other_metadata_changes_nothing(metadata: dict[str, str]) -> None:
    """Istio's agents always send `CertSigner`, mostly empty."""
    assert isinstance(judge_request(CALLER, CertificateRequest(csr=CSR, metadata=metadata), POLICY), Grant)


@pytest.mark.parametrize("caller", [ANONYMOUS, Caller(kind=CallerKind.TOKEN)])
def test_nobody_gets_nothing(caller: Caller) -> None:
    """Without an identity there is no name to write, whatever the CSR says."""
    refusal = _refused(CertificateRequest(csr=CSR), caller)
    assert (refusal.kind, refusal.answer) == (RefusalKind.NO_IDENTITY, OPAQUE_REFUSAL)


@pytest.mark.parametrize("csr", ["", "hello", CSR * 2, CSR.replace("M", "N"), "é"])
def test_bad_request_is_refused_without_quoting_it(csr: str) -> None:
    """Neither log nor answer repeats the CSR."""
    refusal = _refused(CertificateRequest(csr=csr))
    assert refusal.kind is RefusalKind.BAD_CSR
    assert CSR.splitlines()[1] not in refusal.reason + refusal.answer
