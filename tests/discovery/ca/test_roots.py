from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from certs.bundle import TrustBundle
from certs.ca import SigningCa
from certs.errors import CaError
from certs.path import find_path
from discovery.ca.errors import RootReplacedError
from discovery.ca.roots import CaRoots, CaSettings, RootOrigin
from tests.kit.certs import NOW, TRUST_DOMAIN, leaf, root_ca


def _write(directory: Path, ca: SigningCa) -> None:
    directory.mkdir(exist_ok=True)
    (directory / "ca-cert.pem").write_bytes(ca.certificate_pem())
    (directory / "ca-key.pem").write_bytes(ca.key_pem())
    (directory / "root-cert.pem").write_bytes(ca.roots.to_pem())


def _open(tmp_path: Path, *, now: datetime = NOW) -> CaRoots:
    settings = CaSettings(
        plugged_in=tmp_path / "cacerts", self_signed=tmp_path / "state" / "ca", trust_domain=TRUST_DOMAIN
    )
    return CaRoots.open(settings, now=now)


def test_plugged_in_ca_comes_first(tmp_path: Path) -> None:
    """An operator's CA is used, and none of our own is made."""
    _write(tmp_path / "cacerts", root_ca())
    roots = _open(tmp_path)
    assert (roots.origin, roots.current.certificate) == (RootOrigin.PLUGGED_IN, root_ca().certificate)
    assert not (tmp_path / "state").exists()


def test_broken_plugged_in_ca_is_an_error_not_a_new_ca(tmp_path: Path) -> None:
    """Half of an operator's CA must not lead to a mesh with other roots."""
    _write(tmp_path / "cacerts", root_ca())
    (tmp_path / "cacerts" / "ca-key.pem").unlink()
    with pytest.raises(CaError, match=r"ca-key\.pem missing"):
        _open(tmp_path)
    assert not (tmp_path / "state").exists()


def test_self_signed_ca_survives_a_restart(tmp_path: Path) -> None:
    """The second start signs with what the first one made; only we can read the key."""
    first, second = _open(tmp_path), _open(tmp_path, now=NOW + timedelta(days=1))
    assert first.origin is RootOrigin.SELF_SIGNED
    assert first.current.certificate == second.current.certificate
    directory = tmp_path / "state" / "ca"
    assert directory.stat().st_mode & 0o777 == 0o700
    assert (directory / "ca-key.pem").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["ca"]


def test_of_two_makers_one_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that meets a CA made meanwhile by another uses that one, whole."""
    other = root_ca("other-process")
    rename = Path.rename

    def late(self: Path, target: Path) -> Path:
        _write(target, other)  # the other one, between our look and our rename
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", late)
    roots = _open(tmp_path)
    assert roots.current.certificate == other.certificate
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["ca"]


def test_without_directories_the_ca_lives_in_memory() -> None:
    """Ephemeral, and it says so."""
    roots = CaRoots.open(CaSettings(trust_domain=TRUST_DOMAIN), now=NOW)
    assert roots.origin is RootOrigin.EPHEMERAL
    assert not roots.reload(now=NOW)


def test_unchanged_files_change_nothing(tmp_path: Path) -> None:
    """Reloading may be done at any time."""
    _write(tmp_path / "cacerts", root_ca())
    assert not _open(tmp_path).reload(now=NOW)


def test_new_material_that_keeps_a_root_is_taken(tmp_path: Path) -> None:
    """The way of a root rotation: first both roots, then the new signer, then the new root alone."""
    old, new = root_ca("old"), root_ca("new")
    both = TrustBundle((*old.roots.roots, *new.roots.roots))
    _write(tmp_path / "cacerts", old)
    roots = _open(tmp_path)
    for step in (msgspec.structs.replace(old, roots=both), msgspec.structs.replace(new, roots=both), new):
        _write(tmp_path / "cacerts", step)
        assert roots.reload(now=NOW)
        assert (roots.current.certificate, roots.current.roots) == (step.certificate, step.roots)


def test_abrupt_change_of_root_is_refused(tmp_path: Path) -> None:
    """It would cut every workload off from every other; the last good CA keeps signing."""
    _write(tmp_path / "cacerts", root_ca("old"))
    roots = _open(tmp_path)
    _write(tmp_path / "cacerts", root_ca("new"))
    with pytest.raises(RootReplacedError, match="put old and new roots into the bundle"):
        roots.reload(now=NOW)
    assert roots.current.certificate == root_ca("old").certificate


@pytest.mark.parametrize("name", ["ca-key.pem", "ca-cert.pem", "root-cert.pem"])
@pytest.mark.parametrize("content", [None, b"", b"-----BEGIN"])
def test_last_good_material_stays(tmp_path: Path, name: str, content: bytes | None) -> None:
    """A file that is gone, empty or cut off while it is replaced is told, and signing goes on."""
    _write(tmp_path / "cacerts", root_ca())
    roots = _open(tmp_path)
    path = tmp_path / "cacerts" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CaError):
        roots.reload(now=NOW)
    assert roots.current.certificate == root_ca().certificate


def test_vanished_directory_is_told(tmp_path: Path) -> None:
    """Without any file we do not switch to another source at run time."""
    _write(tmp_path / "cacerts", root_ca())
    roots = _open(tmp_path)
    for path in (tmp_path / "cacerts").iterdir():
        path.unlink()
    with pytest.raises(CaError, match="files are gone"):
        roots.reload(now=NOW)


@pytest.mark.parametrize("restart", [True, False])
def test_own_root_is_renewed_before_its_end(tmp_path: Path, restart: bool) -> None:
    """With a fifth of its life left: same key, both roots trusted, old leaves and new ones verify with either."""
    roots = _open(tmp_path)
    old = roots.current
    late = NOW + timedelta(days=3650 * 0.81)
    roots = _open(tmp_path, now=late) if restart else roots
    assert restart or roots.reload(now=late)
    new = roots.current
    assert new.certificate != old.certificate
    assert {*new.roots.roots} == {old.certificate, new.certificate}
    for ca, trusted in ((old, new), (new, old)):
        pair = leaf(ca, now=late)
        assert find_path(pair.leaf, pair.chain[1:], [trusted.certificate], at=late, where="leaf")
    assert not roots.reload(now=late)


def test_expired_own_root_is_told(tmp_path: Path) -> None:
    """After ten years of absence a new root is an operator's decision."""
    _open(tmp_path)
    with pytest.raises(CaError, match="has expired"):
        _open(tmp_path, now=NOW + timedelta(days=4000))


def _beside(new: SigningCa, old: SigningCa) -> SigningCa:
    """The new authority as it must come: with the old root in its bundle."""
    return msgspec.structs.replace(new, roots=new.roots + old.roots)


@pytest.mark.parametrize("origin", [RootOrigin.SELF_SIGNED, RootOrigin.EPHEMERAL, RootOrigin.SECRET])
def test_an_operators_authority_that_comes_later_is_taken_up(tmp_path: Path, origin: RootOrigin) -> None:
    """Whatever was used before; from then on only its files count, also when they go."""
    directory, told = tmp_path / "cacerts", list[RootOrigin]()
    state = tmp_path / "state" if origin is RootOrigin.SELF_SIGNED else None
    settings = CaSettings(plugged_in=directory, self_signed=state, trust_domain=TRUST_DOMAIN)
    roots = CaRoots.open(settings, now=NOW)
    if origin is RootOrigin.SECRET:
        roots = CaRoots(settings, root_ca("secret"), origin)
    assert roots.origin is origin
    old = roots.current
    roots.on_change(lambda: told.append(roots.origin))
    assert not roots.reload(now=NOW)
    new = _beside(root_ca("operator"), old)
    _write(directory, new)
    assert roots.reload(now=NOW)
    assert (roots.origin, roots.current.certificate) == (RootOrigin.PLUGGED_IN, new.certificate)
    assert {*roots.current.roots.roots} == {new.certificate, *old.roots.roots}
    assert len(told) == 1
    assert not roots.reload(now=NOW)
    (directory / "ca-key.pem").unlink()
    with pytest.raises(CaError, match=r"ca-key\.pem missing"):
        roots.reload(now=NOW)
    assert roots.current.certificate == new.certificate


def test_an_operators_authority_that_nobody_trusts_yet_waits(tmp_path: Path) -> None:
    """Workloads that trust only the present root would refuse those with new certificates."""
    roots = _open(tmp_path)
    old = roots.current
    _write(tmp_path / "cacerts", root_ca("operator"))
    with pytest.raises(RootReplacedError, match="put old and new roots into the bundle"):
        roots.reload(now=NOW)
    assert (roots.origin, roots.current.certificate) == (RootOrigin.SELF_SIGNED, old.certificate)
    _write(tmp_path / "cacerts", _beside(root_ca("operator"), old))
    assert roots.reload(now=NOW)


def test_a_broken_operators_authority_does_not_keep_ours_from_being_renewed(tmp_path: Path) -> None:
    """It is told, and the root in use does not end because of it."""
    roots = _open(tmp_path)
    old = roots.current
    _write(tmp_path / "cacerts", root_ca("operator"))
    (tmp_path / "cacerts" / "ca-cert.pem").unlink()
    with pytest.raises(CaError, match=r"ca-cert\.pem missing"):
        roots.reload(now=NOW + timedelta(days=3650 * 0.81))
    assert roots.origin is RootOrigin.SELF_SIGNED
    assert {*old.roots.roots} < {*roots.current.roots.roots}


def test_what_we_made_ourselves_is_no_operators(tmp_path: Path) -> None:
    """With USE_CACERTS_FOR_SELF_SIGNED_CA the chart mounts our Secret in an operator's place; it is renewed as ours."""
    settings = CaSettings(plugged_in=tmp_path, trust_domain=TRUST_DOMAIN)
    roots = CaRoots(settings, root_ca(), RootOrigin.SECRET)
    _write(tmp_path, root_ca())
    (tmp_path / "istio-generated").touch()
    assert not roots.reload(now=NOW)
    assert roots.origin is RootOrigin.SECRET
    assert CaRoots.open(settings, now=NOW).origin is RootOrigin.PLUGGED_IN, "without a cluster there are only the files"
