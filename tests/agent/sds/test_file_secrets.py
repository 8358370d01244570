"""File secrets: read for each request, announced when they change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.sds import file_secrets as module
from agent.sds.errors import SecretError
from agent.sds.file_secrets import FileSecrets
from agent.sds.metrics import SecretMetrics
from agent.sds.names import FilePair, FileRoots, OsRoots, SecretSource
from agent.sds.resources import KeyCertificate, Roots
from tests.kit.inline_x509 import inline_x509
from tests.kit.mesh_ca import MeshCa

CA = MeshCa(datetime.now(UTC))


class Bench:
    def __init__(self) -> None:
        self.announced: asyncio.Queue[SecretSource] = asyncio.Queue()
        self.metrics = SecretMetrics()

        async def at_once(_seconds: float) -> None:
            await asyncio.sleep(0)

        self.files = FileSecrets(
            self.announced.put_nowait, x509=inline_x509(), metrics=self.metrics, first_delay_s=0.1, sleep=at_once
        )

    async def next(self) -> SecretSource:
        async with asyncio.timeout(5):
            return await self.announced.get()


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.files.run())
        yield bench
        task.cancel()


async def test_pair_is_announced_for_certificate_and_key(bench: Bench, tmp_path: Path) -> None:
    """A change of either file is told, so a new key is not missed; the next read gives the new pair."""
    old, new = CA.pair(), CA.pair()
    old.write(tmp_path)
    source = FilePair(tmp_path / "cert-chain.pem", tmp_path / "key.pem")
    assert await bench.files.get(source) == KeyCertificate(chain=old.chain, key=old.key)
    (tmp_path / "key.pem").write_bytes(new.key)
    assert await bench.next() == source
    (tmp_path / "cert-chain.pem").write_bytes(new.chain)
    assert await bench.next() == source
    assert await bench.files.get(source) == KeyCertificate(chain=new.chain, key=new.key)


async def test_roots(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Roots come from the file named, or from the operating system's bundle."""
    path = tmp_path / "root.pem"
    path.write_bytes(CA.root_pem)
    assert await bench.files.get(FileRoots(path)) == Roots(pem=CA.root_pem)
    monkeypatch.setattr(module, "find_os_roots", lambda: path)
    assert await bench.files.get(OsRoots()) == Roots(pem=CA.root_pem)
    path.write_bytes(CA.root_pem * 2)
    assert {type(await bench.next()), type(await bench.next())} == {FileRoots, OsRoots}
    monkeypatch.setattr(module, "find_os_roots", lambda: None)
    with pytest.raises(SecretError, match="operating system"):
        await bench.files.get(OsRoots())


async def test_unusable_files_are_an_error_and_cost_no_watch(bench: Bench, tmp_path: Path) -> None:
    """A name that leads nowhere is counted, told, and forgotten: Envoy will ask again."""
    source = FileRoots(tmp_path / "none.pem")
    with pytest.raises(SecretError, match=r"none\.pem"):
        await bench.files.get(source)
    assert bench.metrics.file_failures.count() == 1
    source.path.write_bytes(CA.root_pem)
    assert await bench.files.get(source) == Roots(pem=CA.root_pem)
    assert bench.announced.empty()
