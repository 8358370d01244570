"""The life of the workload's certificate by a clock that is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from agent.sds.errors import SecretError
from agent.sds.names import SecretSource, Workload, WorkloadRoots
from agent.sds.output import CertificateOutput
from agent.sds.workload import IssueOptions, WorkloadCertificate
from certs.errors import CertsError
from certs.files import FileMode
from certs.keys import KeyKind
from certs.pem import load_certificates
from tests.kit.eventually import eventually
from tests.kit.fake_ca import FakeSigner
from tests.kit.fake_clock import FakeClock
from tests.kit.inline_x509 import P256_KEY, inline_x509
from tests.kit.mesh_ca import MeshCa

HOUR = 3600.0


class Bench:
    """A certificate with its CA, clock and announcements."""

    def __init__(self, output: Path | None, kind: KeyKind) -> None:
        self.clock = FakeClock()
        self.signer = FakeSigner(MeshCa(self.clock.now()), self.clock)
        self.announced: list[SecretSource] = []
        self.certificate = WorkloadCertificate(
            IssueOptions(key=msgspec.structs.replace(P256_KEY, kind=kind), jitter=0.0),
            self.signer,
            x509=inline_x509(),
            announce=self.announced.append,
            output=CertificateOutput(output, FileMode.PRIVATE),
            clock=self.clock,
            sleep=self.clock.sleep,
            chance=lambda: 0.5,
        )

    async def pass_until_call(self, number: int) -> None:
        """Let time pass from wake to wake until the CA has been asked that often and the loop sleeps again."""
        while await self.clock.next_wake_s() > 0 and self.signer.calls < number:
            await self.clock.pass_to_next_wake()


def read_all(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@asynccontextmanager
async def running(output: Path | None = None, kind: KeyKind = KeyKind.P256) -> AsyncIterator[Bench]:
    bench = Bench(output, kind)
    async with asyncio.TaskGroup() as group:
        task = group.create_task(bench.certificate.run())
        yield bench
        task.cancel()


@pytest.mark.parametrize("kind", list(KeyKind))
async def test_issued_before_anybody_asks(kind: KeyKind) -> None:
    """The certificate is there before Envoy asks, for each kind of key."""
    async with running(kind=kind) as bench:
        await bench.clock.next_wake_s()
        pair = await bench.certificate.pair()
        assert (await bench.certificate.roots()).pem == bench.signer.ca.root_pem
        assert bench.signer.calls == 1
        assert len(load_certificates(pair.chain, where="test")) == 2
        assert bench.announced == []


async def test_many_waiters_cost_one_request() -> None:
    """Whoever asks before the first certificate is there waits for the one request under way."""
    async with running() as bench:
        pairs = await asyncio.gather(*(bench.certificate.pair() for _ in range(20)), bench.certificate.roots())
        assert len({id(pair) for pair in pairs[:-1]}) == 1
        assert bench.signer.calls == 1


async def test_renewed_at_half_life_without_subscribers(tmp_path: Path) -> None:
    """Renewal comes at half life, is announced, and is written for others, although nobody subscribed."""
    async with running(tmp_path) as bench:
        old = await bench.certificate.pair()
        assert (tmp_path / "cert-chain.pem").read_bytes() == old.chain
        await bench.pass_until_call(2)
        assert bench.clock.monotonic() == pytest.approx(12 * HOUR)
        new = await bench.certificate.pair()
        assert new.key != old.key
        assert bench.announced == [Workload()]
        assert read_all(tmp_path) == {
            "key.pem": new.key,
            "cert-chain.pem": new.chain,
            "root-cert.pem": bench.signer.ca.root_pem,
        }


async def test_no_wait_is_longer_than_ten_minutes() -> None:
    """A machine that slept through hours notices soon after it wakes that the wall clock has moved."""
    async with running() as bench:
        await bench.certificate.pair()
        assert await bench.clock.next_wake_s() == 600


async def test_failing_renewal_keeps_the_valid_certificate() -> None:
    """While the CA fails the old certificate serves, attempts space out to at most a minute, and success follows."""
    async with running() as bench:
        old = await bench.certificate.pair()
        bench.signer.failing = "CA is down"
        await bench.pass_until_call(2)
        delays = []
        for _ in range(16):
            assert await bench.certificate.pair() is old
            delays.append(await bench.clock.pass_to_next_wake())
            await bench.clock.next_wake_s()
        assert delays == sorted(delays)
        assert (delays[0], delays[-1]) == (0.5, 60.0)
        bench.signer.failing = ""
        await bench.pass_until_call(bench.signer.calls + 1)
        assert await bench.certificate.pair() is not old
        assert bench.announced == [Workload()]


async def test_expired_certificate_is_not_served() -> None:
    """After its end the certificate is of no use to anybody: whoever asks gets the outcome of the next attempt."""
    async with running() as bench:
        await bench.certificate.pair()
        bench.signer.failing = "CA is down"
        bench.clock.advance(25 * HOUR)
        with pytest.raises(SecretError, match="CA is down"):
            await bench.certificate.pair()
        assert bench.certificate.seconds_to_expiry == pytest.approx(-HOUR)
        bench.signer.failing = ""
        asking = asyncio.ensure_future(bench.certificate.pair())
        await bench.pass_until_call(bench.signer.calls + 1)
        await asking


async def test_a_clock_that_is_wrong_for_a_while() -> None:
    """Years ahead, the CA's answers are expired ones, as the error says; set back, the old one serves, then a new."""
    async with running() as bench:
        old = await bench.certificate.pair()
        bench.signer.clock = FakeClock()
        bench.clock.set_wall(timedelta(days=3650))
        asking = asyncio.ensure_future(bench.certificate.pair())
        bench.clock.advance(600)
        with pytest.raises(SecretError, match="compare the clocks of this machine and of the CA"):
            await asking
        calls = bench.signer.calls
        bench.clock.set_wall(-timedelta(days=3650))
        assert await bench.certificate.pair() is old
        await bench.pass_until_call(calls + 1)
        assert bench.clock.monotonic() <= 661
        assert await bench.certificate.pair() is not old


async def test_ca_down_then_up() -> None:
    """At the start the CA is away: waiters are told, and the next attempt gives everybody the certificate."""
    async with running() as bench:
        bench.signer.failing = "connection refused"
        with pytest.raises(SecretError, match="connection refused"):
            await bench.certificate.pair()
        waiting = [asyncio.ensure_future(bench.certificate.pair()) for _ in range(3)]
        bench.signer.failing = ""
        await bench.pass_until_call(2)
        assert len({id(pair) for pair in await asyncio.gather(*waiting)}) == 1
        assert bench.signer.calls == 2


async def test_new_root_is_announced_first() -> None:
    """A renewal that brings another root announces the root before the certificate."""
    async with running() as bench:
        await bench.certificate.pair()
        bench.signer.ca = MeshCa(bench.clock.now())
        await bench.pass_until_call(2)
        assert bench.announced == [WorkloadRoots(), Workload()]
        assert (await bench.certificate.roots()).pem == bench.signer.ca.root_pem


async def test_trust_anchors_join_the_roots_and_renew() -> None:
    """Anchors are merged with the CA's root and announced, then a new certificate follows; the same again is silent."""
    async with running() as bench:
        await bench.certificate.pair()
        anchor = MeshCa(bench.clock.now())
        with pytest.raises(CertsError):
            await bench.certificate.set_trust_anchors(b"garbage")
        await bench.certificate.set_trust_anchors(anchor.root_pem)
        await bench.certificate.set_trust_anchors(anchor.root_pem)
        assert bench.announced == [WorkloadRoots()]
        roots = (await bench.certificate.roots()).pem
        assert len(load_certificates(roots, where="test")) == 2
        await eventually(lambda: bench.signer.calls == 2)
        assert bench.clock.monotonic() == 0


async def test_short_lived_certificates_are_renewed_in_time() -> None:
    """However short the life, the certificate in use is never an expired one."""
    async with running() as bench:
        bench.signer.lifetime = timedelta(seconds=30)
        for _ in range(6):
            await bench.certificate.pair()
            left = bench.certificate.seconds_to_expiry
            assert left is not None
            assert left > 0
            await bench.pass_until_call(bench.signer.calls + 1)
