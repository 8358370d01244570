"""Identity files: where they are found and how they are read while others write them."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.sds.files import READ_LIMIT_S, find_workload_files, read_pair, read_roots_file, retry_read
from certs.errors import CertsError
from tests.kit.inline_x509 import inline_x509
from tests.kit.mesh_ca import MeshCa

CA = MeshCa(datetime.now(UTC))
X509 = inline_x509()
CREDENTIALS = "var/run/secrets/workload-spiffe-credentials"


def put(directory: Path, *names: str) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for name in names:
        (directory / name).write_text("x")


def test_places_in_their_order(tmp_path: Path) -> None:
    """Implicit mounts, then what the platform provides under either set of names; a partial set does not count."""
    assert find_workload_files(tmp_path) is None
    put(tmp_path / "etc/certs", "cert-chain.pem", "key.pem", "root-cert.pem")
    found = find_workload_files(tmp_path)
    assert found is not None
    assert (found.chain, found.provided) == (tmp_path / "etc/certs/cert-chain.pem", False)
    put(tmp_path / CREDENTIALS, "certificates.pem", "private_key.pem", "ca_certificates.pem", "key.pem")
    found = find_workload_files(tmp_path)
    assert found is not None
    assert (found.key.name, found.provided) == ("private_key.pem", True)
    put(tmp_path / CREDENTIALS, "cert-chain.pem", "root-cert.pem")
    found = find_workload_files(tmp_path)
    assert found is not None
    assert found.key.name == "key.pem"


async def test_pair_is_served_as_it_lies_there(tmp_path: Path) -> None:
    """A matching pair is passed on byte for byte; a mismatch is an error."""
    pair = CA.pair()
    pair.write(tmp_path)
    read = await read_pair(tmp_path / "cert-chain.pem", tmp_path / "key.pem", X509)
    assert (read.chain, read.key) == (pair.chain, pair.key)
    (tmp_path / "key.pem").write_bytes(CA.pair().key)
    with pytest.raises(CertsError):
        await read_pair(tmp_path / "cert-chain.pem", tmp_path / "key.pem", X509)


async def test_one_broken_root_does_not_break_the_others(tmp_path: Path) -> None:
    """What parses is served; only a bundle without any usable certificate is an error."""
    path = tmp_path / "root.pem"
    path.write_bytes(CA.root_pem + b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert (await read_roots_file(path, X509)).pem == CA.root_pem
    path.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(CertsError):
        await read_roots_file(path, X509)


async def test_half_replaced_pair_is_read_again(tmp_path: Path) -> None:
    """Key and certificate are replaced one after the other: the reader waits for the second."""
    old, new = CA.pair(), CA.pair()
    old.write(tmp_path)
    (tmp_path / "key.pem").write_bytes(new.key)
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 2:
            (tmp_path / "cert-chain.pem").write_bytes(new.chain)
        await asyncio.sleep(0)

    read = await retry_read(
        lambda: read_pair(tmp_path / "cert-chain.pem", tmp_path / "key.pem", X509), first_delay_s=0.1, sleep=sleep
    )
    assert read.key == new.key
    assert slept == [0.1, 0.2]


async def test_reading_gives_up_after_the_limit(tmp_path: Path) -> None:
    """Files that stay unusable are an error after ten seconds of waiting in all."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    with pytest.raises(OSError, match="none"):
        await retry_read(lambda: read_pair(tmp_path / "none", tmp_path / "none", X509), first_delay_s=0.1, sleep=sleep)
    assert sum(slept) == pytest.approx(READ_LIMIT_S)
