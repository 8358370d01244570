"""Where the signing material comes from: an operator's directory, one of our own, a Secret, or nowhere but memory.

Files are looked at when `reload` is called; who calls it, a timer or a file watcher, is the application's choice. An
operator's files count also when they come later, whatever was used before. What a Secret holds is handed in by `adopt`.
What cannot be used is told and the last good material stays: a CA that stops signing stops the mesh a day later.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from certs.bundle import TrustBundle
from certs.ca import ROOT_LIFETIME, SigningCa, create_root, new_serial
from certs.errors import CaError, CertsError, RenewalError
from certs.files import FileMode, write_atomically
from certs.keys import KeyKind, PrivateKey, generate_key
from certs.plugged_in import read_ca_directory
from certs.rotation import renewal_wait
from discovery.ca.errors import RootReplacedError
from discovery.ca.secret import GENERATED

__all__ = ["CaRoots", "CaSettings", "RootOrigin", "is_generated", "new_root", "renewed"]

_RENEW_AT_PERCENT: Final = 20


class RootOrigin(StrEnum):
    """Where the material in use is from."""

    PLUGGED_IN = "plugged in"
    SELF_SIGNED = "self-signed"
    EPHEMERAL = "ephemeral"
    SECRET = "Secret"  # noqa: S105 - a kind of object


class CaSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look.

    Attributes:
        plugged_in: an operator's directory; used if it holds a CA.
        self_signed: our own directory, made on first use and kept over restarts; None keeps the CA in memory, so that
            a restart cuts off every workload until it has renewed.
        trust_domain: of a root we make.
        key_kind: of a root we make.
        lifetime: of a root we make (CITADEL_SELF_SIGNED_CA_CERT_TTL).
        renew_percent: a root of ours is renewed when this part of its life is left
            (CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE).
    """

    plugged_in: Path | None = None
    self_signed: Path | None = None
    trust_domain: str
    key_kind: KeyKind = KeyKind.P256
    lifetime: timedelta = ROOT_LIFETIME
    renew_percent: int = _RENEW_AT_PERCENT


class CaRoots:
    """The one owner of the signing material. Make it with `open`, or with what a Secret holds.

    Attributes:
        origin: where the present material is from.
    """

    def __init__(self, settings: CaSettings, ca: SigningCa, origin: RootOrigin) -> None:
        self._settings = settings
        self._ca = ca
        self.origin = origin
        self._listeners: list[Callable[[], None]] = []

    @classmethod
    def open(cls, settings: CaSettings, *, now: datetime) -> CaRoots:
        """Find the material, or make it.

        Raises:
            CaError: there is some, and it cannot be used; never replaced silently.
            OSError: a directory cannot be read or written.
        """
        if settings.plugged_in is not None:
            ca = read_ca_directory(settings.plugged_in, at=now)
            if ca is not None:
                return cls(settings, ca, RootOrigin.PLUGGED_IN)
        if settings.self_signed is not None:
            return cls(settings, _open_self_signed(settings, settings.self_signed, now), RootOrigin.SELF_SIGNED)
        return cls(settings, new_root(settings, now), RootOrigin.EPHEMERAL)

    @property
    def current(self) -> SigningCa:
        """What to sign with now."""
        return self._ca

    def reload(self, *, now: datetime) -> bool:
        """Look at the files again, and renew a root of ours that nears its end; whether the material changed.

        Raises:
            CaError: what is there now cannot be used; the former material stays in use. A root of ours was renewed all
                the same if it was due.
            OSError: likewise.
        """
        if self.origin is RootOrigin.PLUGGED_IN:
            return self._plug_in(now)
        renewed_own = self.adopt(self._own(now))
        return self._plug_in(now) or renewed_own

    def on_change(self, call: Callable[[], None]) -> None:
        """Have a call made whenever the material is another; it must be quick and must not raise."""
        self._listeners.append(call)

    def adopt(self, fresh: SigningCa) -> bool:
        """Use this material from now on; whether it is another.

        Raises:
            RootReplacedError: it has no root in common with the present one, which stays in use.
        """
        if (fresh.certificate, fresh.intermediates, fresh.roots) == (
            self._ca.certificate,
            self._ca.intermediates,
            self._ca.roots,
        ):
            return False
        if not {*fresh.roots.roots} & {*self._ca.roots.roots}:
            raise RootReplacedError(
                "CA",
                "the new root certificates have none in common with those in use",
                hint="put old and new roots into the bundle until every workload has renewed",
            )
        self._ca = fresh
        for call in self._listeners:
            call()
        return True

    def _plug_in(self, now: datetime) -> bool:
        """Use the operator's files, if there are any; from then on, only those."""
        directory = self._settings.plugged_in
        if directory is None or (self.origin is RootOrigin.SECRET and is_generated(directory)):
            return False
        ca = read_ca_directory(directory, at=now)
        if ca is None:
            if self.origin is RootOrigin.PLUGGED_IN:
                raise CaError(str(directory), "the CA's files are gone", hint="put them back")
            return False
        changed = self.adopt(ca)
        self.origin = RootOrigin.PLUGGED_IN
        return changed

    def _own(self, now: datetime) -> SigningCa:
        if self.origin is RootOrigin.SECRET:
            return self._ca  # it is renewed by the leader, in the Secret
        if self.origin is RootOrigin.SELF_SIGNED and self._settings.self_signed is not None:
            return _open_self_signed(self._settings, self._settings.self_signed, now)
        return renewed(self._ca, self._settings, now)


def is_generated(directory: Path) -> bool:
    """Whether a directory holds what we made ourselves: a Secret of ours that is mounted where an operator's would be.

    Where there is a cluster, such a one is followed and renewed as a Secret.
    """
    return (directory / GENERATED).exists()


def new_root(settings: CaSettings, now: datetime) -> SigningCa:
    """A root of our own."""
    key = generate_key(settings.key_kind)
    return _self_signed(key, settings, now)


def _self_signed(key: PrivateKey, settings: CaSettings, now: datetime) -> SigningCa:
    return create_root(
        key, trust_domain=settings.trust_domain, now=now, serial=new_serial(), lifetime=settings.lifetime
    )


def _open_self_signed(settings: CaSettings, directory: Path, now: datetime) -> SigningCa:
    ca = read_ca_directory(directory, at=now)
    if ca is None:
        _create(directory, new_root(settings, now))
        ca = read_ca_directory(directory, at=now)  # another process may have been faster; its CA counts
        if ca is None:
            raise CaError(str(directory), "the CA that was just written is gone", hint="keep other programs out of it")
    fresh = renewed(ca, settings, now)
    if fresh is not ca:
        # The roots first: should this be cut short, the old certificate still leads to a root of the bundle.
        write_atomically(directory / "root-cert.pem", fresh.roots.to_pem(), mode=FileMode.PUBLIC)
        write_atomically(directory / "ca-cert.pem", fresh.certificate_pem(), mode=FileMode.PUBLIC)
    return fresh


def _create(directory: Path, ca: SigningCa) -> None:
    """Write the set beside its place and rename it there whole: nobody sees a part, nor a mix of two makers."""
    directory.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))  # made with mode 0700
    try:
        write_atomically(beside / "ca-key.pem", ca.key_pem(), mode=FileMode.PRIVATE)
        write_atomically(beside / "ca-cert.pem", ca.certificate_pem(), mode=FileMode.PUBLIC)
        write_atomically(beside / "root-cert.pem", ca.roots.to_pem(), mode=FileMode.PUBLIC)
        beside.rename(directory)  # replaces an empty directory, fails on one that holds anything
    except OSError:
        shutil.rmtree(beside)
        if not (directory / "ca-key.pem").is_file():
            raise


def renewed(ca: SigningCa, settings: CaSettings, now: datetime) -> SigningCa:
    """The same CA, or when it nears its end a new certificate of the same key, trusted beside the old ones."""
    try:
        renewal_wait(ca.certificate, grace_percent=settings.renew_percent, now=now)
    except RenewalError:
        fresh = _self_signed(ca.key, settings, now)
        valid = (root for root in ca.roots.roots if root.not_valid_after_utc > now)
        return msgspec.structs.replace(fresh, roots=fresh.roots + TrustBundle(tuple(valid)))
    except CertsError as error:
        raise CaError(error.where, error.what) from error
    return ca
