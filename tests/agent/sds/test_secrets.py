"""Where each secret comes from."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agent.sds.errors import SecretError
from agent.sds.files import WorkloadFiles
from agent.sds.metrics import SecretMetrics
from agent.sds.names import FileRoots, SecretSource, Workload, WorkloadRoots
from agent.sds.resources import KeyCertificate, Roots
from agent.sds.secrets import SecretOptions, Secrets
from agent.sds.workload import IssueOptions
from discovery.runtime.clock import SystemClock
from tests.kit.fake_ca import FakeSigner
from tests.kit.inline_x509 import P256_KEY, inline_x509
from tests.kit.mesh_ca import MeshCa

CLOCK = SystemClock()
ISSUE = IssueOptions(key=P256_KEY)


@pytest.fixture
def signer() -> FakeSigner:
    return FakeSigner(MeshCa(datetime.now(UTC)), CLOCK)


def put_files(directory: Path, ca: MeshCa) -> WorkloadFiles:
    directory.mkdir(exist_ok=True)
    ca.pair().write(directory)
    (directory / "root-cert.pem").write_bytes(ca.root_pem)
    return WorkloadFiles(
        chain=directory / "cert-chain.pem", key=directory / "key.pem", root=directory / "root-cert.pem"
    )


@asynccontextmanager
async def running(options: SecretOptions, signer: FakeSigner | None) -> AsyncIterator[Secrets]:
    async with (
        Secrets(options, signer=signer, x509=inline_x509(), clock=CLOCK, metrics=SecretMetrics()) as secrets,
        asyncio.TaskGroup() as group,
    ):
        task = group.create_task(secrets.run())
        yield secrets
        task.cancel()


async def test_issued_when_there_are_no_files(signer: FakeSigner) -> None:
    """Without files the CA is asked, and its root is what peers are verified with."""
    async with running(SecretOptions(issue=ISSUE), signer) as secrets:
        assert isinstance(await secrets.get(Workload()), KeyCertificate)
        assert await secrets.get(WorkloadRoots()) == Roots(pem=signer.ca.root_pem)


async def test_files_come_before_the_ca(signer: FakeSigner, tmp_path: Path) -> None:
    """With identity files the CA is never asked; their change is announced to who subscribed, and to nobody after."""
    files = put_files(tmp_path / "certs", signer.ca)
    heard: asyncio.Queue[SecretSource] = asyncio.Queue()
    async with running(SecretOptions(issue=ISSUE, files=files, output_dir=tmp_path / "out"), signer) as secrets:
        with secrets.subscribed(heard.put_nowait):
            assert await secrets.get(Workload()) == KeyCertificate(
                chain=files.chain.read_bytes(), key=files.key.read_bytes()
            )
            assert await secrets.get(WorkloadRoots()) == Roots(pem=signer.ca.root_pem)
            files.root.write_bytes(signer.ca.root_pem * 2)
            assert await asyncio.wait_for(heard.get(), 5) == WorkloadRoots()
        assert signer.calls == 0
        assert (tmp_path / "out" / "key.pem").read_bytes() == files.key.read_bytes()
        assert (tmp_path / "out" / "root-cert.pem").exists()


async def test_own_output_is_not_read_back(signer: FakeSigner, tmp_path: Path) -> None:
    """Files that lie where we write our own are no source: a certificate read back would never be renewed."""
    files = put_files(tmp_path / "certs", signer.ca)
    options = SecretOptions(issue=ISSUE, files=files, output_dir=tmp_path / "x" / ".." / "certs")
    before = files.key.read_bytes()
    async with running(options, signer) as secrets:
        issued = await secrets.get(Workload())
        assert isinstance(issued, KeyCertificate)
        assert signer.calls == 1
        assert files.key.read_bytes() == issued.key != before


@pytest.mark.parametrize("source", [Workload(), WorkloadRoots()])
async def test_without_ca_and_files_the_error_says_so(source: SecretSource) -> None:
    """File-mounted mode has no ``default``: the error names what the configuration should ask for instead."""
    async with running(SecretOptions(), None) as secrets:
        with pytest.raises(SecretError, match=r"ca client is nil.*file-cert:"):
            await secrets.get(source)


async def test_file_names_work_in_every_mode(signer: FakeSigner, tmp_path: Path) -> None:
    """``file-*`` names are served whether or not there is a CA."""
    path = tmp_path / "root.pem"
    path.write_bytes(signer.ca.root_pem)
    for own in (None, signer):
        async with running(SecretOptions(issue=ISSUE), own) as secrets:
            assert await secrets.get(FileRoots(path)) == Roots(pem=signer.ca.root_pem)


async def test_trust_anchors_join_the_bundle(signer: FakeSigner) -> None:
    """Mesh-wide anchors are served beside the CA's root; where roots lie in files they have no effect."""
    anchor = MeshCa(datetime.now(UTC))
    async with running(SecretOptions(issue=ISSUE), signer) as secrets:
        await secrets.get(Workload())
        await secrets.set_trust_anchors(anchor.root_pem)
        roots = await secrets.get(WorkloadRoots())
        assert isinstance(roots, Roots)
        assert roots.pem.count(b"BEGIN CERTIFICATE") == 2
    async with running(SecretOptions(), None) as secrets:
        await secrets.set_trust_anchors(anchor.root_pem)
