"""An operator's authority that is mounted while the control plane runs, with an agent and Envoy that go on working."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from certs.bundle import load_bundle
from certs.ca import SigningCa
from certs.pem import load_certificates
from tests.kit.certs import root_ca
from tests.kit.live import LiveDiscovery, until
from tests.kit.live_backend import call
from tests.kit.live_mesh import prepared, serves, workloads

pytestmark = [pytest.mark.envoy]

CASES = Path(__file__).parent / "cases"


def mount(directory: Path, version: str, ca: SigningCa) -> None:
    """As a kubelet does: all files of a version at once."""
    (directory / version).mkdir(parents=True)
    files = {"ca-cert.pem": ca.certificate_pem(), "ca-key.pem": ca.key_pem(), "root-cert.pem": ca.roots.to_pem()}
    for name, data in files.items():
        (directory / version / name).write_bytes(data)
    (directory / "..new").symlink_to(version)
    (directory / "..new").rename(directory / "..data")
    for name in files:
        if not (directory / name).is_symlink():
            (directory / name).symlink_to(f"..data/{name}")


async def shown(discovery: LiveDiscovery, root: SigningCa) -> bool:
    """Whether the secure port shows a certificate that this root alone vouches for."""
    context = ssl.create_default_context(cadata=root.certificate_pem().decode())
    try:
        async with asyncio.timeout(10):
            _, writer = await asyncio.open_connection("localhost", discovery.secure, ssl=context)
    except ssl.SSLCertVerificationError:
        return False
    writer.close()
    return True


@pytest.mark.timeout(120)
async def test_an_authority_mounted_later_is_taken_up(tmp_path: Path) -> None:
    """Refused while nobody trusts it, and told; with the old root beside it, it signs, and those before go on."""
    folder = tmp_path / "cacerts"
    folder.mkdir()
    async with AsyncExitStack() as stack:
        mesh, backend, out = await stack.enter_async_context(prepared(tmp_path, CASES / "two-workloads.yaml"))
        discovery = await stack.enter_async_context(mesh.discovery(env={"ROOT_CA_DIR": str(folder)}))
        pair = workloads(mesh, backend, out)
        caller = await stack.enter_async_context(pair.caller.running(discovery))
        api = await stack.enter_async_context(pair.api.running(discovery))
        await serves(pair, caller, api)
        theirs = root_ca("operator", now=datetime.now(UTC))
        old, _ = load_bundle(mesh.root, where="root")
        mount(folder, "..1", theirs)
        await discovery.program.said("authority in files not taken up.*none in common")
        assert not await shown(discovery, theirs)
        mount(folder, "..2", msgspec.structs.replace(theirs, roots=theirs.roots + old))
        await discovery.program.said("authority changed.*plugged in")
        await until(lambda: shown(discovery, theirs), lambda: discovery.program.text[-3000:])
        assert (await call(pair.out, host=pair.host)).body == b"api"
        late = mesh.workload("late", ip="127.0.0.62")
        late.trust(theirs.roots.to_pem())
        env = {"OUTPUT_CERTS": str(late.directory)}
        agent = await stack.enter_async_context(late.running(discovery, env))
        await agent.until("/healthz/ready", 200)
        chain = load_certificates((late.directory / "cert-chain.pem").read_bytes(), where="chain")
        chain[0].verify_directly_issued_by(theirs.certificate)
        trusted, _ = load_bundle((late.directory / "root-cert.pem").read_bytes(), where="roots")
        assert {*trusted.roots} == {theirs.certificate, *old.roots}
        assert (await call(pair.out, host=pair.host)).body == b"api"
