"""Keys, certificates and bundles that others load, loaded by `certs`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest

from certs import pem
from certs.bundle import load_bundle
from certs.describe import CertificateFacts, describe, is_expired
from certs.errors import CertsError, PemError, RenewalError, VerifyError
from certs.path import find_path
from certs.plugged_in import CaTexts, load_signing_ca
from certs.rotation import renewal_wait
from certs.tls import load_key_pair
from certs.verify import verify_key_pair
from tests.kit.conformance import Case, cases

NOW: Final = datetime(2026, 6, 1, tzinfo=UTC)  # after the end of the expired ones, before that of the others

_SENSES: Final[Mapping[str, str]] = {
    "the certificate does not match the key": "is not the one of the certificate",
    "certificate signed by unknown authority": "which is not trusted",
    "the given root is not allowed to sign certificates": "may not sign certificates",
    "invalid PEM encoded certificate": "CA certificate, PEM block 1: not base64",
    "invalid PEM-encoded key": "key, PEM block 1: not base64|key: no PEM block found",
    "a CRL signed by each certificate is needed": "want one of each CA",
    "the certificate has no SAN extension": "has no SAN extension",
    "the root certificate cannot be parsed": "no usable root certificate found",
    "the certificate chain cannot be parsed": "chain, PEM block 1: the line '-----END .*' is missing",
    "the certificate does not verify": "expired",
    "key and certificate do not match": "is not the one of the certificate",
    "already expired": "already expired",
    "should be renewed now": "should be renewed now",
}
"""What our errors say, as a pattern, for each sense that the cases name; those about fields are their own."""


@pytest.mark.parametrize("case", cases("pki"))
def test_pki(case: Case) -> None:
    """Every case gives what upstream gives, and fails in the sense upstream fails."""
    _KINDS[case["kind"]](case)


def _judge(case: Case, act: Callable[[], object]) -> None:
    """Run `act` and hold its outcome against `expect.ok` and `expect.error_means`."""
    expect = case["expect"]
    if expect["ok"]:
        act()
        return
    with pytest.raises((CertsError, FileNotFoundError)) as caught:
        act()
    sense: str = expect["error_means"]
    if sense.startswith("no such file"):
        assert isinstance(caught.value, FileNotFoundError)
        assert str(caught.value.filename).endswith(sense.partition(": ")[2])
        return
    assert re.search(_SENSES.get(sense, sense), str(caught.value))


def _load_ca(case: Case) -> None:
    def load() -> None:
        texts = CaTexts(
            certificate=case.read(case["ca_cert"]),
            key=case.read(case["ca_key"]),
            chain=pem.join(case.read(name) for name in case["cert_chain"]),
            roots=case.read(case["root_cert"]),
            crl=case.read(case["crl"]) if case.get("crl") else b"",
            where=case["ca_cert"],
        )
        load_signing_ca(texts, at=NOW)

    _judge(case, load)


def _read_back(case: Case) -> None:
    def read() -> None:
        pair = load_key_pair(case.read(case["cert"]), case.read(case["key"]), where=case["cert"])
        facts = describe(pair.leaf)
        host = facts.only_name(where=case["cert"])
        expect = case["expect"]
        assert (host, facts.organization, facts.is_ca) == (expect["host"], expect["org"], expect["is_ca"])
        assert facts.lifetime == timedelta(hours=expect["ttl_hours"])
        assert facts.rsa_bits == expect.get("rsa_key_size", 0)

    _judge(case, read)


def _verify(case: Case) -> None:
    def verify() -> None:
        roots, _ = load_bundle(case.read(case["root_cert"]), where="root")
        chain = pem.load_certificates(case.read(case["cert_chain"]), where="chain")
        find_path(chain[0], chain[1:], roots.roots, at=NOW, where="chain")
        pair = verify_key_pair(case.read(case["cert_chain"]), case.read(case["key"]), roots, at=NOW, where="pair")
        _compare(describe(pair.leaf), case["fields"])

    _judge(case, verify)


def _compare(facts: CertificateFacts, fields: Mapping[str, Any]) -> None:
    """Raise for the first field that differs; a field the case leaves out is at its zero value, or not looked at."""
    usage = [*facts.extended_key_usage]
    key_usage = [*facts.key_usage]
    checks = {
        "the certificate lacks the expected SAN": fields["host"] in facts.names,
        "NotBefore differs": fields.get("not_before", facts.not_before) in (facts.not_before, f"{facts.not_before}"),
        "NotAfter - NotBefore differs": fields.get("ttl_nanoseconds", facts.lifetime) == facts.lifetime,
        "ExtKeyUsage differs": fields.get("ext_key_usage", usage) == usage,
        "KeyUsage differs": fields.get("key_usage", key_usage) == key_usage,
        "IsCA differs": fields.get("is_ca", False) == facts.is_ca,
        "Organization differs": fields.get("org", facts.issuer_organization) == facts.issuer_organization,
    }
    for sense, holds in checks.items():
        if not holds:
            raise VerifyError("leaf", sense)


def _expired(case: Case) -> None:
    certificate = pem.load_certificates(case.read(case["cert"]), where=case["cert"])[0]
    assert is_expired(certificate, at=NOW) is case["expect"]


def _renewal(case: Case) -> None:
    certificate = pem.load_certificates(case.read(case["cert"]), where=case["cert"])[0]
    # The cases have nanoseconds, we microseconds: take the next one, for theirs is a little later than the cut one.
    now = datetime.fromisoformat(case["now"][:26] + "+00:00") + timedelta(microseconds=1)
    expect = case["expect"]
    if "error_means" in expect:
        with pytest.raises(RenewalError, match=_SENSES[expect["error_means"]]):
            renewal_wait(certificate, grace_percent=case["grace_period_percent"], now=now)
        return
    wait = renewal_wait(certificate, grace_percent=case["grace_period_percent"], now=now)
    assert wait // timedelta(seconds=1) == expect["wait_seconds"]


def _parse_chain(case: Case) -> None:
    _judge(case, lambda: pem.load_certificates(case.read(case["input"]), where=case["input"]))


def _root_bundle(case: Case) -> None:
    expect = case["expect"]
    try:
        bundle, findings = load_bundle(case.read(case["input"]), where=case["input"])
    except PemError:
        assert not expect["ok"]
        return
    assert expect["ok"]
    assert len(bundle.roots) == expect["certificates_kept"]
    assert findings, "what is dropped is told"


_KINDS: Final[Mapping[str, Callable[[Case], None]]] = {
    "load_ca_bundle": _load_ca,
    "read_back_options": _read_back,
    "verify_certificate": _verify,
    "is_expired": _expired,
    "time_to_renewal": _renewal,
    "parse_chain": _parse_chain,
    "load_root_bundle": _root_bundle,
}
