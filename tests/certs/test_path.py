from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA224
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier
from hypothesis import given
from hypothesis import strategies as st

from certs.errors import VerifyError
from certs.path import Purpose, find_path, is_self_signed, may_not_sign
from tests.kit.certs import NOW, issue, key, name

_CA = (x509.BasicConstraints(ca=True, path_length=None), True)
_NO_SIGNING = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
ROOT = issue("root", ("root", key("root")), [_CA])
MIDDLE = issue("middle", ("root", key("root")), [_CA])
LOWER = issue("lower", ("middle", key("middle")), [_CA])
LEAF = issue("leaf", ("lower", key("lower")))


@given(st.permutations([LOWER, MIDDLE, ROOT]))
def test_intermediates_may_come_in_any_order(given_order: list[x509.Certificate]) -> None:
    """The path is in signing order, the way TLS wants it, whatever the file's order; a root among them does no harm."""
    assert find_path(LEAF, given_order, [ROOT], at=NOW, where="x") == (LEAF, LOWER, MIDDLE, ROOT)


def test_a_trusted_certificate_is_its_own_path() -> None:
    """A root, or a pinned leaf, is trusted as it is."""
    assert find_path(ROOT, [], [ROOT], at=NOW, where="x") == (ROOT,)


def test_cross_signed_intermediate_finds_the_root_we_have() -> None:
    """During a root rotation one key has two certificates; the one that leads to our root counts."""
    old_root = issue("old-root", ("old-root", key("old-root")), [_CA])
    crossed = issue("root", ("old-root", key("old-root")), [_CA], own=key("root"))
    path = find_path(LEAF, [LOWER, MIDDLE, crossed], [old_root], at=NOW, where="x")
    assert path == (LEAF, LOWER, MIDDLE, crossed, old_root)


_CASES = {
    "unknown root": (LEAF, [LOWER, MIDDLE], [], "which is not trusted"),
    "missing intermediate": (LEAF, [LOWER], [ROOT], "which is not trusted"),
    "expired leaf": (issue("leaf", ("root", key("root")), days=(-9, -1)), [], [ROOT], "has expired"),
    "future leaf": (issue("leaf", ("root", key("root")), days=(1, 9)), [], [ROOT], "is not valid before"),
    "expired middle": (
        issue("leaf", ("middle", key("middle"))),
        [issue("middle", ("root", key("root")), [_CA], days=(-9, -1))],
        [ROOT],
        "'CN=middle' has expired",
    ),
    "expired root": (LEAF, [LOWER, MIDDLE], [issue("root", ("root", key("root")), [_CA], days=(-9, -1))], "expired"),
    "same name, other key": (
        LEAF,
        [LOWER, MIDDLE],
        [issue("root", ("root", key("x")), [_CA], own=key("x"))],
        "not signed",
    ),
    "leaf as issuer": (issue("leaf", ("a", key("a"))), [issue("a", ("root", key("root")))], [ROOT], "not a CA"),
    "denied in so many words": (
        issue("leaf", ("a", key("a"))),
        [issue("a", ("root", key("root")), [(x509.BasicConstraints(ca=False, path_length=None), True)])],
        [ROOT],
        "not a CA",
    ),
    "key usage without signing": (
        issue("leaf", ("a", key("a"))),
        [issue("a", ("root", key("root")), [_CA, (_NO_SIGNING, True)])],
        [ROOT],
        "lacks keyCertSign",
    ),
    "path length": (
        LEAF,
        [LOWER, MIDDLE],
        [issue("root", ("root", key("root")), [(x509.BasicConstraints(ca=True, path_length=1), True)])],
        "allows 1 CAs below it, there are 2",
    ),
    "unknown critical extension": (
        issue("leaf", ("root", key("root")), [(x509.UnrecognizedExtension(ObjectIdentifier("1.2.3"), b""), True)]),
        [],
        [ROOT],
        "critical extension 1.2.3",
    ),
    "weak key": (
        issue("leaf", ("root", key("root")), own=ec.generate_private_key(ec.SECP521R1())),
        [],
        [ROOT],
        "secp521r1",
    ),
    "outside of the CA's names": (
        issue("leaf", ("a", key("a")), [(x509.SubjectAlternativeName([x509.DNSName("shop.test")]), False)]),
        [issue("a", ("root", key("root")), [_CA, (x509.NameConstraints([x509.DNSName("a.test")], None), True)])],
        [ROOT],
        "outside of what a CA above it permits",
    ),
}


@pytest.mark.parametrize("case", _CASES)
def test_obstacles_are_named(case: str) -> None:
    """Each reason not to trust a chain is found, and told."""
    certificate, intermediates, roots, says = _CASES[case]
    with pytest.raises(VerifyError, match=says):
        find_path(certificate, intermediates, roots, at=NOW, where="peer")


def _signed_with_224_bits() -> x509.Certificate:
    """The shortest hash that the library still signs with."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("leaf"))
        .issuer_name(name("root"))
        .public_key(key().public_key())
        .serial_number(7)
        .not_valid_before(ROOT.not_valid_before_utc)
        .not_valid_after(ROOT.not_valid_after_utc)
    )
    return builder.sign(key("root"), SHA224())


def test_old_hashes_are_refused() -> None:
    """Shorter hashes than SHA-256 are on their way out, or forged already."""
    with pytest.raises(VerifyError, match="SHA-256 or better"):
        find_path(_signed_with_224_bits(), [], [ROOT], at=NOW, where="peer")


@pytest.mark.parametrize("purpose", [Purpose.CLIENT, Purpose.SERVER])
def test_purpose_is_checked_along_the_path(purpose: Purpose) -> None:
    """A certificate for something else does not serve; one without purposes serves all."""
    assert purpose.value is not None
    fits = (x509.ExtendedKeyUsage([purpose.value]), False)
    wrong = (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), False)
    good = issue("leaf", ("root", key("root")), [fits])
    assert find_path(good, [], [ROOT], at=NOW, purpose=purpose, where="x")
    assert find_path(issue("leaf", ("root", key("root"))), [], [ROOT], at=NOW, purpose=purpose, where="x")
    with pytest.raises(VerifyError, match="not meant for TLS"):
        find_path(issue("leaf", ("root", key("root")), [wrong]), [], [ROOT], at=NOW, purpose=purpose, where="x")
    narrow = issue("middle", ("root", key("root")), [_CA, wrong])
    with pytest.raises(VerifyError, match="'CN=middle' is not meant"):
        find_path(
            issue("leaf", ("middle", key("middle")), [fits]), [narrow], [ROOT], at=NOW, purpose=purpose, where="x"
        )


def test_hostile_bundle_costs_little() -> None:
    """Many issuers of one name are given up on after a bounded number of signatures."""
    crowd = [issue("root", ("root", key("root")), [_CA], days=(-1 - day, 30)) for day in range(40)]
    with pytest.raises(VerifyError, match=r"gave up|not trusted|longer than"):
        find_path(issue("leaf", ("root", key("root"))), crowd, [], at=NOW, where="peer")


def test_self_signed_is_told_by_signature() -> None:
    """Equal names are not enough."""
    assert is_self_signed(ROOT)
    assert not is_self_signed(MIDDLE)
    assert not is_self_signed(issue("root", ("root", key("x")), [_CA]))


def test_a_ca_says_so() -> None:
    """Version 3 certificates must say that they are CAs, roots too."""
    assert may_not_sign(ROOT, is_root=True) == ""
    assert "not a CA" in may_not_sign(LEAF, is_root=True)
