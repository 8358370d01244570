from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from certs import pem
from certs.bundle import TrustBundle
from certs.ca import SigningCa
from certs.errors import CaError
from certs.keys import dump_key
from certs.path import find_path
from certs.plugged_in import CaTexts, find_ca_files, load_signing_ca, read_ca_directory
from tests.kit.certs import NOW, issue, key, leaf, name

_CA = (x509.BasicConstraints(ca=True, path_length=None), True)
ROOT = issue("root", ("root", key("root")), [_CA], days=(-1, 900))
MIDDLE = issue("middle", ("root", key("root")), [_CA], days=(-1, 60))
LOWER = issue("lower", ("middle", key("middle")), [_CA], days=(-1, 90))
NOT_A_CA = issue("plain", ("root", key("root")))
EXPIRED = issue("lower", ("root", key("root")), [_CA], days=(-9, -1))


def _texts(own: x509.Certificate = LOWER, key_label: str = "lower", **changes: bytes) -> CaTexts:
    texts = CaTexts(
        certificate=pem.dump_certificate(own),
        key=dump_key(key(key_label)),
        chain=pem.dump_certificates([ROOT, MIDDLE, LOWER]),
        roots=pem.dump_certificate(ROOT),
        where="cacerts",
    )
    return msgspec.structs.replace(texts, **changes)


def _load(texts: CaTexts) -> SigningCa:
    return load_signing_ca(texts, at=NOW)


def test_chain_is_put_in_signing_order_without_roots() -> None:
    """Leaves are followed by what peers lack, in the order TLS wants, however the file was written."""
    ca = _load(_texts())
    assert ca.intermediates == (LOWER, MIDDLE)
    assert ca.roots == TrustBundle((ROOT,))
    pair = leaf(ca)
    assert find_path(pair.leaf, pair.chain[1:], [ROOT], at=NOW, where="leaf")[-1] == ROOT


def test_life_ends_with_the_shortest_of_the_chain() -> None:
    """A leaf must not outlive an intermediate above the signer either."""
    assert _load(_texts()).valid_until == MIDDLE.not_valid_after_utc


def test_missing_chain_is_completed_by_the_certificate_itself() -> None:
    """Without chain file a CA directly below the root still gives chains that verify."""
    assert _load(_texts(MIDDLE, "middle", chain=b"")).intermediates == (MIDDLE,)


def test_root_that_signs_itself_needs_no_intermediates() -> None:
    """A self-signed CA hands out leaves alone."""
    assert _load(_texts(ROOT, "root", chain=pem.dump_certificate(ROOT))).intermediates == ()


def test_trust_may_end_at_an_intermediate() -> None:
    """An intermediate as the only root is unusual and allowed; peers that trust more still get the chain."""
    assert _load(_texts(roots=pem.dump_certificate(LOWER))).intermediates == (LOWER, MIDDLE)


def test_cross_signed_extras_are_kept() -> None:
    """An operator who adds a cross-signed root for a rotation wants peers of the old root to get it."""
    old = issue("old", ("old", key("old")), [_CA])
    crossed = issue("root", ("old", key("old")), [_CA], own=key("root"))
    roots = pem.dump_certificates([ROOT, old])
    ca = _load(_texts(chain=pem.dump_certificates([LOWER, MIDDLE, crossed, ROOT]), roots=roots))
    assert ca.intermediates == (LOWER, MIDDLE, crossed)


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        (_texts(key_label="other"), "CA certificate and key: the private key is not the one"),
        (_texts(chain=b""), "signed by 'CN=middle', which is not trusted"),
        (_texts(NOT_A_CA, "plain"), "is not a CA"),
        (_texts(EXPIRED, "lower"), "has expired"),
        (_texts(certificate=b"x"), "CA certificate: no PEM block"),
        (_texts(key=b"x"), "CA key: no PEM block"),
        (_texts(roots=b"x"), "root certificates: no usable root"),
        (_texts(chain=b"x"), "chain: no PEM block"),
        (_texts(crl=b"x"), "revocation lists: no PEM block"),
    ],
)
def test_mistakes_are_named(texts: CaTexts, says: str) -> None:
    """Each says which file of which CA is wrong, and how."""
    with pytest.raises(CaError, match=says) as caught:
        _load(texts)
    assert caught.value.where.startswith("cacerts")


def _write(directory: Path, **files: bytes) -> None:
    for stem, content in files.items():
        (directory / stem.replace("__", "-").replace("_", ".")).write_bytes(content)


def test_cacerts_layout(tmp_path: Path) -> None:
    """The four files of Istio's `cacerts` secret; the chain may be absent."""
    texts = _texts(MIDDLE, "middle")
    _write(tmp_path, ca__cert_pem=texts.certificate, ca__key_pem=texts.key, root__cert_pem=texts.roots)
    ca = read_ca_directory(tmp_path, at=NOW)
    assert ca is not None
    assert ca.certificate == MIDDLE


def test_tls_secret_layout(tmp_path: Path) -> None:
    """The three files of a TLS secret; the chain follows the certificate in one file."""
    texts = _texts()
    _write(tmp_path, tls_crt=pem.dump_certificates([LOWER, MIDDLE]), tls_key=texts.key, ca_crt=texts.roots)
    ca = read_ca_directory(tmp_path, at=NOW)
    assert ca is not None
    assert ca.intermediates == (LOWER, MIDDLE)


def test_empty_directory_is_no_ca(tmp_path: Path) -> None:
    """No trace of a CA means that another source may be used; so does a directory that is not there."""
    assert read_ca_directory(tmp_path, at=NOW) is None
    assert find_ca_files(tmp_path / "absent") is None


@pytest.mark.parametrize(
    ("present", "missing"),
    [
        ("ca-cert.pem", "ca-key.pem, root-cert.pem"),
        ("tls.key", "tls.crt, ca.crt"),
        ("root-cert.pem", "ca-cert.pem, ca-key.pem"),
    ],
)
def test_incomplete_set_is_an_error(tmp_path: Path, present: str, missing: str) -> None:
    """A part of a CA is a mistake to mend, never a reason to make up another CA."""
    (tmp_path / present).write_bytes(b"x")
    with pytest.raises(CaError, match=f"{missing} missing"):
        read_ca_directory(tmp_path, at=NOW)


def _crl(issuer: str, signer: str) -> bytes:
    builder = x509.CertificateRevocationListBuilder().issuer_name(name(issuer))
    builder = builder.last_update(NOW).next_update(NOW + timedelta(days=1))
    return builder.sign(key(signer), SHA256()).public_bytes(Encoding.PEM)


def test_revocation_lists_cover_the_whole_path() -> None:
    """One list of each CA up to the root; a list that only bears the name does not count."""
    good = _crl("lower", "lower") + _crl("middle", "middle") + _crl("root", "root")
    assert _load(_texts(crl=good)).certificate == LOWER
    below = _crl("lower", "lower") + _crl("middle", "middle")
    for bad in (below, below + _crl("root", "x")):
        with pytest.raises(CaError, match="want one of each CA"):
            _load(_texts(crl=bad))


def test_texts_are_not_printed() -> None:
    """The key of a CA shows in no log line."""
    assert repr(_texts()) == "CaTexts('cacerts')"
