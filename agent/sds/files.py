"""Secrets that lie in files: where a workload's own are looked for, and reading them while others replace them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from agent.sds.resources import KeyCertificate, Roots
from agent.x509.client import X509
from certs.errors import CertsError
from discovery.runtime.backoff import backoff_delays
from discovery.runtime.logs import get_logger

__all__ = ["READ_LIMIT_S", "WorkloadFiles", "find_workload_files", "read_pair", "read_roots_file", "retry_read"]

READ_LIMIT_S: Final = 10.0

_CREDENTIALS: Final = "var/run/secrets/workload-spiffe-credentials"

log = get_logger("sds")

T = TypeVar("T")


class WorkloadFiles(msgspec.Struct, frozen=True, kw_only=True):
    """A workload's identity in files.

    Attributes:
        chain: file of the certificate chain.
        key: file of its key.
        root: file of the trusted roots.
        provided: the platform provides and renews them, so that no CA is needed at all.
    """

    chain: Path
    key: Path
    root: Path
    provided: bool = False


def find_workload_files(base: Path = Path()) -> WorkloadFiles | None:
    """The first complete set of identity files in the places where mounts put them.

    Args:
        base: what relative paths start from.
    """
    platform = base / _CREDENTIALS
    implicit = base / "etc/certs"
    places = (
        (platform, ("cert-chain.pem", "key.pem", "root-cert.pem"), True),
        (platform, ("certificates.pem", "private_key.pem", "ca_certificates.pem"), True),
        (implicit, ("cert-chain.pem", "key.pem", "root-cert.pem"), False),
    )
    for directory, names, provided in places:
        chain, key, root = (directory / name for name in names)
        if chain.is_file() and key.is_file() and root.is_file():
            return WorkloadFiles(chain=chain, key=key, root=root, provided=provided)
    return None


def _read(path: Path) -> bytes:
    return path.read_bytes()  # a kilobyte of a local disk: no thread is worth it


async def read_pair(chain: Path, key: Path, x509: X509) -> KeyCertificate:
    """Key and certificate as the files hold them, once they are known to belong together.

    Raises:
        CertsError: they do not, or are unusable.
        OSError: a file cannot be read.
    """
    pair = KeyCertificate(chain=_read(chain), key=_read(key))
    await x509.check_pair(pair.chain, pair.key, where=f"{chain} with {key}")
    return pair


async def read_roots_file(path: Path, x509: X509) -> Roots:
    """The usable certificates of a file; the others are left out with an error in the log.

    Raises:
        CertsError: none is usable.
        OSError: the file cannot be read.
    """
    checked = await x509.check_roots(_read(path), where=str(path))
    for finding in checked.findings:
        log.error("root certificate left out", reason=str(finding))
    return Roots(pem=checked.pem)


async def retry_read(
    read: Callable[[], Awaitable[T]], *, first_delay_s: float, sleep: Callable[[float], Awaitable[None]]
) -> T:
    """What ``read`` gives, as soon as it does; files of a pair are replaced one after the other.

    Raises:
        CertsError, OSError: it still fails after ``READ_LIMIT_S`` of waiting.
    """
    left_s = READ_LIMIT_S
    for delay_s in backoff_delays(first_s=first_delay_s, max_s=2.0, jitter=0.0):
        try:
            return await read()
        except (CertsError, OSError):
            if left_s <= 0:
                raise
        await sleep(min(delay_s, left_s))
        left_s -= delay_s
    raise AssertionError("unreachable: delays never end")
