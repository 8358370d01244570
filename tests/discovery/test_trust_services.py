"""An operator's authority that comes while the control plane runs, and a serving certificate that follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
import structlog

from certs.ca import SigningCa
from certs.errors import CaError
from discovery import trust_services
from discovery.ca.roots import CaRoots, CaSettings, RootOrigin
from discovery.runtime.logs import configure_logging
from discovery.runtime.supervise import Service
from discovery.trust_services import AuthorityFiles, KeepServing
from tests.kit.certs import NOW, TRUST_DOMAIN, root_ca
from tests.kit.eventually import eventually
from tests.kit.fake_clock import FakeClock

CLOCK = FakeClock(NOW)


def opened(directory: Path) -> CaRoots:
    return CaRoots.open(CaSettings(plugged_in=directory, trust_domain=TRUST_DOMAIN), now=NOW)


def beside(label: str, old: SigningCa) -> SigningCa:
    new = root_ca(label)
    return msgspec.structs.replace(new, roots=new.roots + old.roots)


def write(directory: Path, ca: SigningCa) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "ca-cert.pem").write_bytes(ca.certificate_pem())
    (directory / "ca-key.pem").write_bytes(ca.key_pem())
    (directory / "root-cert.pem").write_bytes(ca.roots.to_pem())


def mount(directory: Path, version: str, ca: SigningCa | None) -> None:
    """As a kubelet does: the files of a version in a directory of its own, a link that is replaced at once."""
    (directory / version).mkdir(parents=True)
    if ca is not None:
        write(directory / version, ca)
    (directory / "..new").symlink_to(version)
    (directory / "..new").rename(directory / "..data")
    for name in ("ca-cert.pem", "ca-key.pem", "root-cert.pem") if ca is not None else ():
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[None]:
    async with service, asyncio.TaskGroup() as group:
        task = group.create_task(service.run())
        try:
            yield
        finally:
            task.cancel()


@pytest.mark.parametrize("below", ["cacerts", "etc/mesh/cacerts"])
async def test_files_that_come_and_change_are_taken_up(tmp_path: Path, below: str) -> None:
    """Also where neither the directory nor those above it were there at the start; as plain files."""
    directory = tmp_path / below
    roots = opened(directory)
    first = beside("first", roots.current)
    second = beside("second", first)
    async with running(AuthorityFiles(roots, directory, CLOCK, quiet_ms=10)):
        for ca in (first, second):
            write(directory, ca)
            await eventually(lambda ca=ca: roots.current.certificate == ca.certificate)
            assert roots.current.roots == ca.roots
    assert roots.origin is RootOrigin.PLUGGED_IN


async def test_a_mounted_secret_is_followed(tmp_path: Path) -> None:
    """An optional volume is an empty directory until the Secret is made; each change of it replaces one link."""
    mount(tmp_path, "..v0", None)
    roots = opened(tmp_path)
    first = beside("first", roots.current)
    second = beside("second", first)
    async with running(AuthorityFiles(roots, tmp_path, CLOCK, quiet_ms=10)):
        for version, ca in (("..v1", first), ("..v2", second)):
            mount(tmp_path, version, ca)
            await eventually(lambda ca=ca: roots.current.certificate == ca.certificate)


async def test_what_cannot_be_used_is_told_once_and_the_last_good_stays(tmp_path: Path) -> None:
    """A part, a stranger, a key of another: each with its reason; what is good afterwards is taken up."""
    roots = opened(tmp_path)
    old = roots.current
    subject = AuthorityFiles(roots, tmp_path, CLOCK)
    configure_logging()
    good = beside("first", old)
    with structlog.testing.capture_logs() as logs:
        write(tmp_path, root_ca("stranger"))
        await subject.look()
        await subject.look()
        write(tmp_path, msgspec.structs.replace(good, key=root_ca("stranger").key))
        await subject.look()
        (tmp_path / "ca-key.pem").unlink()
        await subject.look()
        assert roots.current is old
        write(tmp_path, good)
        await subject.look()
    assert roots.current.certificate == good.certificate
    reasons = [entry["reason"] for entry in logs if "not taken up" in entry["event"]]
    assert len(reasons) == 3
    for reason, wanted in zip(reasons, ("none in common", "key", "ca-key.pem missing"), strict=True):
        assert wanted in reason
    assert [entry["origin"] for entry in logs if entry["event"] == "authority changed"] == ["plugged in"]


class NoWatch:
    """A system that grants no more watches."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    async def run(self) -> None:
        raise ExceptionGroup("watch", [OSError(28, "No space left on device")])


async def test_without_watches_files_are_looked_at_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits of a node are no reason to end; it takes a minute then."""
    monkeypatch.setattr(trust_services, "Watch", NoWatch)
    monkeypatch.setattr(trust_services, "_LOOK_S", 0.01)
    roots = opened(tmp_path)
    ca = beside("first", roots.current)
    async with running(AuthorityFiles(roots, tmp_path, CLOCK)):
        write(tmp_path, ca)
        await eventually(lambda: roots.current.certificate == ca.certificate)


class Front:
    """Counts renewals; fails as often as told."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.renewed = 0

    def renew(self) -> None:
        if self.failures:
            self.failures -= 1
            raise CaError("CA", "cannot sign")
        self.renewed += 1


async def test_the_serving_certificate_follows_the_authority(tmp_path: Path) -> None:
    """At once, also while an operator's files are broken."""
    roots, front = opened(tmp_path), Front()
    async with running(KeepServing(roots, front, CLOCK)):
        write(tmp_path, root_ca("stranger"))
        assert roots.adopt(beside("first", roots.current))
        await eventually(lambda: front.renewed == 1)
        assert roots.adopt(beside("second", roots.current))
        await eventually(lambda: front.renewed == 2)


async def test_a_serving_certificate_that_failed_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next look, not after half of its life; and no sooner than that."""
    monkeypatch.setattr(trust_services, "_CHECK_ROOTS_S", 0.01)  # instead of an hour
    roots, front = opened(tmp_path), Front(failures=2)
    async with running(KeepServing(roots, front, CLOCK)):
        assert roots.adopt(beside("first", roots.current))
        await eventually(lambda: front.renewed == 1)
    assert front.failures == 0
