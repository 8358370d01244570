from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from benchmarks.floor import Floor, serve
from benchmarks.loadgen.fleet import Fleet, Target
from benchmarks.loadgen.messages import Sidecar
from benchmarks.loadgen.payload import Variant

SIDECARS = [Sidecar(name=f"s{i}", ip=f"10.0.0.{i}") for i in range(1, 6)]
SOON_S = 5.0


@asynccontextmanager
async def connected(floor: Floor) -> AsyncIterator[Fleet]:
    """Five sidecars that have the whole configuration of a bare server."""
    server, port = await serve(floor, "127.0.0.1:0")
    try:
        async with Fleet(Target(address=f"127.0.0.1:{port}", channels=2)) as fleet:
            fleet.add(SIDECARS)
            assert await fleet.wait_ready(SOON_S)
            yield fleet
    finally:
        await server.stop(0)


async def test_all_sidecars_get_ready_and_share_what_is_parsed() -> None:
    """Every stream holds every resource; five streams cost the parsing of one."""
    async with connected(Floor(["a.bench", "b.bench"])) as fleet:
        report = fleet.report()
    assert (report["ready"], report["open"], report["failures"]) == (5, 5, {})
    assert {name: total["resources"] for name, total in report["types"].items()} == {
        "CDS": 10,
        "EDS": 10,
        "LDS": 5,
        "RDS": 5,
        "VHDS": 10,
    }
    assert report["parsed_bytes"] < report["bytes_mean"]


async def test_a_push_is_counted_since_the_mark() -> None:
    """After a mark, one pushed resource is one response and one ACK per stream."""
    floor = Floor(["a.bench"])
    async with connected(floor) as fleet:
        fleet.mark()
        floor.push("policies", "a.bench")
        assert await fleet.settle(quiet_s=0.01, at_least=1, timeout_s=SOON_S)
        report = fleet.report()
    assert (report["touched"], report["responses"], list(report["types"])) == (5, 5, ["VHDS"])
    assert report["last_ack_at"] > 0


async def test_reconnecting_sidecars_are_sent_nothing_again() -> None:
    """Dropped streams come back with versions, and still hear of later changes."""
    floor = Floor(["a.bench"])
    async with connected(floor) as fleet:
        await fleet.drop()
        assert fleet.report()["open"] == 0
        fleet.mark()
        fleet.reopen()
        assert await fleet.settle(quiet_s=0.1, at_least=0, timeout_s=SOON_S)
        assert (fleet.report()["open"], fleet.report()["responses"]) == (5, 0)
        floor.push("endpoints", "a.bench")
        assert await fleet.settle(quiet_s=0.01, at_least=1, timeout_s=SOON_S)
        assert fleet.report()["failures"] == {}


async def test_a_server_that_refuses_is_reported_and_tried_again() -> None:
    """No such method: sidecars stay unready, the reason is counted, leaving does not hang."""
    server, port = await serve(Floor([]), "127.0.0.1:0")
    try:
        async with Fleet(Target(address=f"127.0.0.1:{port}", variant=Variant.SOTW, channels=1)) as fleet:
            fleet.add(SIDECARS[:1])
            assert not await fleet.wait_ready(0.2)
            report = fleet.report()
    finally:
        await server.stop(0)
    assert report["waits_for"] == "CDS: nothing received"
    assert all(reason.startswith("UNIMPLEMENTED") for reason in report["failures"])


async def test_settle_gives_up_in_time() -> None:
    """A change that reaches nobody is not waited for forever."""
    async with connected(Floor(["a.bench"])) as fleet:
        fleet.mark()
        assert not await fleet.settle(quiet_s=0.01, at_least=1, timeout_s=0.05)
