"""What the demo shows, in order: a mesh that starts, serves, steers, refuses, and follows its YAML."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from discovery.runtime.files import write_atomically
from discovery.runtime.http_client import HttpClientError, TcpTarget, fetch
from examples.demo import claims, layout
from examples.demo.claims import Claim
from examples.demo.errors import DemoError
from examples.demo.fleet import Fleet, living
from examples.demo.mesh import Mesh, start_control_plane, start_workloads
from examples.demo.report import Report, bar_chart, hop_tree, memory_rows, sync_rows
from examples.demo.traffic import Traffic, refusal_of_plaintext
from examples.demo.weights import read_weights, with_weights

__all__ = ["Story"]

_REQUESTS: Final = 200
_CERTAIN: Final = 60  # requests in a row
_MOVE_DEADLINE_S: Final = 10.0
_TESTER: Final = "jason"  # the user whom the example's VirtualService sends to reviews v2
_REJECTED: Final = re.compile(r"^\S*update_rejected: (\d+)$", re.MULTILINE)


class Story:
    """Tells it once; ``claims`` are gathered on the way."""

    def __init__(self, fleet: Fleet, mesh: Mesh, report: Report, *, mark: str) -> None:
        self._fleet = fleet
        self._mesh = mesh
        self._report = report
        self._mark = mark
        self._kinds: dict[int, str] = {}
        self._traffic = Traffic(mesh.member(layout.CLIENT).workload)
        self.claims: list[Claim] = []

    async def tell(self) -> None:
        """All of it.

        Raises:
            DemoError: the mesh did not come up, or something of it does not answer.
        """
        await self._start()
        await self._show_sync()
        await self._show_identities()
        await self._show_split()
        await self._show_edit()
        await self._show_refusal()
        await self._show_rejections()
        self._show_memory()

    def _claim(self, claim: Claim) -> None:
        self.claims.append(claim)
        self._report.claim(claim)

    # -- the parts ---------------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        now = asyncio.get_running_loop().time
        report, mesh = self._report, self._mesh
        report.title("Starting pilot-discovery on a directory of YAML")
        report.lines([f"{mesh.config}"])
        started_at = now()
        await start_control_plane(self._fleet, mesh, self._kinds)
        report.lines([f"serves after {now() - started_at:.1f} s"])
        report.title(f"Starting {len(mesh.members)} workloads: an application, a pilot-agent and an Envoy each")
        started_at = now()
        await start_workloads(self._fleet, mesh, self._kinds)
        self._claim(claims.judge_ready(len(mesh.members), len(mesh.members), now() - started_at))

    async def _show_sync(self) -> None:
        self._report.title("What the control plane sent, and every Envoy acknowledged (/debug/syncz)")
        self._report.lines(sync_rows(await self._ask_control_plane("/debug/syncz")))
        self._claim(claims.judge_push_status(await self._ask_control_plane("/debug/push_status")))

    async def _show_identities(self) -> None:
        self._report.title(f"One request as user {_TESTER!r}: who called whom, by their certificates")
        answer = await self._traffic.ask(_TESTER)
        self._report.lines(hop_tree(answer))
        of = {member.workload.app: member.workload.identity for member in self._mesh.members}
        callers = {
            "productpage": of[layout.CLIENT],
            "details": of["productpage"],
            "reviews": of["productpage"],
            "ratings": of["reviews"],
        }
        self._claim(claims.judge_hops(answer, callers))

    async def _show_split(self) -> None:
        self._report.title("Traffic to reviews, split by its VirtualService")
        weights = read_weights(self._read_traffic())
        self._claim(claims.judge_split(await self._sample(weights, _REQUESTS), weights))

    async def _show_edit(self) -> None:
        text = self._read_traffic()
        weights = {"v1": 0, "v2": 0, "v3": 100}
        self._report.title(f"An edit of {self._mesh.traffic_file.name} on disk, and the same traffic")
        self._report.lines(f"{v}: weight {old} -> {weights[v]}" for v, old in read_weights(text).items())
        write_atomically(self._mesh.traffic_file, with_weights(text, weights).encode(), mode=0o644)
        move = await self._traffic.watch_move(
            "reviews",
            "v3",
            edited_at=asyncio.get_running_loop().time(),
            certain=_CERTAIN,
            deadline_s=_MOVE_DEADLINE_S,
        )
        self._claim(claims.judge_move(move))
        self._claim(claims.judge_split(await self._sample(weights, _REQUESTS // 2), weights))

    async def _show_refusal(self) -> None:
        self._report.title("Plaintext, straight to the workloads' ports for the mesh (PeerAuthentication STRICT)")
        served = [m.workload for m in self._mesh.members if m.workload.app != layout.CLIENT]
        self._claim(claims.judge_plaintext({w.name: await refusal_of_plaintext(w) for w in served}))

    async def _show_rejections(self) -> None:
        self._report.title("What Envoy itself says of its configuration")
        rejected = {}
        for member in self._mesh.members:
            target = TcpTarget("127.0.0.1", member.ports.admin)
            stats = await _fetch(target, "/stats?filter=update_rejected")
            rejected[member.workload.name] = [int(count) for count in _REJECTED.findall(stats.decode())]
        self._claim(claims.judge_rejections(rejected))

    def _show_memory(self) -> None:
        self._report.title("What it takes")
        self._report.lines(memory_rows(living(self._mark), self._kinds))

    # -- what they share ---------------------------------------------------------------------------------------------

    def _read_traffic(self) -> str:
        return self._mesh.traffic_file.read_text(encoding="utf-8")

    async def _sample(self, weights: Mapping[str, int], requests: int) -> Counter[str]:
        """Count versions; a sample that is off by chance (one of some hundred) is taken once more, twice as large."""
        counts = await self._traffic.count_versions("reviews", requests)
        self._report.lines(bar_chart(counts, weights))
        if claims.judge_split(counts, weights).holds or set(counts) - set(weights):
            return counts
        self._report.lines(["that is more than 3 sigma off, which chance brings about now and then; once more:"])
        counts = await self._traffic.count_versions("reviews", 2 * requests)
        self._report.lines(bar_chart(counts, weights))
        return counts

    async def _ask_control_plane(self, path: str) -> Any:
        return msgspec.json.decode(await _fetch(self._mesh.monitoring, path))


async def _fetch(target: TcpTarget, path: str) -> bytes:
    try:
        answer = await fetch(target, path, timeout_s=10)
    except HttpClientError as error:
        raise DemoError(str(error)) from error
    if answer.status != 200:
        raise DemoError(f"GET {path} at {target}: status {answer.status}, {answer.body[:200].decode(errors='replace')}")
    return answer.body
