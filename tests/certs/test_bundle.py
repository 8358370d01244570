from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certs.bundle import TrustBundle, TrustBundles, load_bundle
from certs.errors import PemError, SpiffeError
from certs.keys import dump_key
from tests.kit.certs import key, root_ca

ONE, TWO, THREE = (root_ca(label).certificate for label in ("root", "root-2", "root-3"))
_BUNDLES = st.lists(st.sampled_from([ONE, TWO, THREE])).map(lambda roots: load_or_empty(tuple(roots)))


def load_or_empty(roots: tuple[object, ...]) -> TrustBundle:
    """A bundle with repetitions taken out, as if read from a file."""
    return TrustBundle() + TrustBundle(roots)  # type: ignore[arg-type]  # certificates


@given(_BUNDLES, _BUNDLES, _BUNDLES)
def test_merging_is_associative_and_idempotent(one: TrustBundle, two: TrustBundle, three: TrustBundle) -> None:
    """However bundles are put together, each root is in once and none is lost."""
    assert (one + two) + three == one + (two + three)
    assert one + one == one
    assert {*(one + two).roots} == {*one.roots, *two.roots}


@given(_BUNDLES.filter(bool))
def test_bundle_survives_its_file(bundle: TrustBundle) -> None:
    """What is written is read back in the same order."""
    assert load_bundle(bundle.to_pem(), where="x") == (bundle, ())


def test_broken_parts_are_skipped_and_told() -> None:
    """One bad root takes no good one with it; keys in a bundle are a finding too."""
    broken = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    text = broken + TrustBundle((ONE,)).to_pem() + dump_key(key()) + TrustBundle((TWO, ONE)).to_pem()
    bundle, findings = load_bundle(text, where="roots.pem")
    assert bundle.roots == (ONE, TWO)
    assert len(findings) == 2
    assert all(finding.where.startswith("roots.pem") for finding in findings)
    assert "PRIVATE" not in str(findings[0])


@pytest.mark.parametrize("text", [b"", b"hello", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_nothing_usable_is_an_error(text: bytes) -> None:
    """An empty bundle would trust nobody; whoever loads it keeps the last good one."""
    with pytest.raises(PemError, match="no usable root"):
        load_bundle(text, where="roots.pem")


def test_domains_are_kept_apart() -> None:
    """A root counts for its own domain; only the handshake's union has all."""
    bundles = TrustBundles().with_roots("b.test", TrustBundle((ONE,))).with_roots("a.test", TrustBundle((TWO, ONE)))
    assert bundles.of("b.test").roots == (ONE,)
    assert not bundles.of("c.test")
    assert bundles.all_roots().roots == (TWO, ONE)


def test_domain_is_checked() -> None:
    """A misspelt domain is an error, not a bundle nobody asks for."""
    with pytest.raises(SpiffeError):
        TrustBundles().with_roots("A B", TrustBundle((ONE,)))
