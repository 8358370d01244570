"""A live unmodified Envoy takes all that we render: over delta and state-of-the-world ADS, with and without VHDS.

Each case is a directory of YAML that is edited while the Envoys run, so updates and removals are judged too. After each
edit both Envoys hold exactly what the debug endpoint says, nothing was rejected, and both hold the same.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from tests.kit.conformance import CONFORMANCE_ROOT
from tests.kit.envoy_json import first_difference
from tests.kit.fake_sds import secrets_at
from tests.kit.live import LiveDiscovery, live_discovery, until
from tests.kit.live_config import Held, agree
from tests.kit.live_proxy import LiveProxy, ProxyNode, live_proxy
from tests.kit.mesh_ca import MeshCa

pytestmark = [pytest.mark.envoy, pytest.mark.timeout(180)]

CASES = Path(__file__).parent / "cases"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SAMPLES = CONFORMANCE_ROOT / "samples"
BENCH = CONFORMANCE_ROOT / "bench" / "small"
SERVED = re.compile(r"^kind: (VirtualService|DestinationRule|ServiceEntry|PeerAuthentication|Sidecar)\b", re.MULTILINE)

VHDS = pytest.mark.parametrize("vhds", ["true", "false"], ids=["vhds", "rds"])

CANARY = """
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {{name: canary, namespace: istio-system}}
spec: {{hosts: [canary.example], resolution: STATIC, ports: [{{number: 9999, name: tcp, protocol: TCP}}]}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: canary, namespace: istio-system}}
spec: {{host: canary.example, trafficPolicy: {{connectionPool: {{tcp: {{connectTimeout: {seconds}s}}}}}}}}
"""


class Rig(msgspec.Struct):
    """A control plane and one Envoy for each variant of the protocol, which say that they are the same workload."""

    discovery: LiveDiscovery
    proxies: tuple[LiveProxy, LiveProxy]
    edits: int = 0
    difference: str = ""

    async def edit(self, text: str) -> dict[str, Held]:
        """Put this in the place of the last edit, and judge what the Envoys then hold."""
        self.edits += 1
        seconds = 100 + self.edits
        self.discovery.write("edit.yaml", text + CANARY.format(seconds=seconds))
        for proxy in self.proxies:

            async def arrived(proxy: LiveProxy = proxy) -> bool:
                cluster = await proxy.cluster("outbound|9999||canary.example")
                return bool(cluster.get("connect_timeout") == f"{seconds}s")

            await until(arrived, partial("edit {} at {}".format, self.edits, proxy.id))
        return await self.judge()

    async def judge(self) -> dict[str, Held]:
        """What both hold; they took all of it, and it is the same."""
        held: dict[str, Held] = await until(self._equal, lambda: f"both hold the same: {self.difference}")
        for proxy in self.proxies:
            assert not await proxy.rejected(), proxy.program.text
            states = await self.discovery.debug("syncz")
            assert {state["status"] for row in states for state in row["resources"].values()} == {"SYNCED"}, states
        status = await self.discovery.debug("push_status")
        assert (status["rejections"], status["rendering"]) == ({}, {})
        return held

    async def _equal(self) -> dict[str, Held]:
        """What both hold, if that is the same; a subscription that has just ended may still be seen at one of them."""
        held = {proxy.id: await agree(self.discovery, proxy) for proxy in self.proxies}
        delta, sotw = (_plain(held[proxy.id]) for proxy in self.proxies)
        self.difference = first_difference(delta, sotw)
        return {} if self.difference else held


def _plain(held: Held) -> dict[str, Any]:
    """The same without what VHDS does to names."""
    routes = {}
    for name, route in held["route"].items():
        hosts = [{**host, "name": host["name"].removeprefix(f"{name}/")} for host in route["virtualHosts"]]
        ordered = sorted(hosts, key=lambda host: host["name"])
        routes[name] = {**{k: v for k, v in route.items() if k != "vhds"}, "virtualHosts": ordered}
    return {**held, "route": routes}


@asynccontextmanager
async def rig(
    folder: Path, config: Path, node: ProxyNode, *, vhds: str, args: tuple[str, ...] = ()
) -> AsyncIterator[Rig]:
    """Run it on a directory."""
    ca = MeshCa(datetime.now(UTC))
    sds = folder / "sds"
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(secrets_at(sds, ca, ca.pair(uri="spiffe://cluster.local/ns/default/sa/own")))
        env = {"PILOT_ENABLE_VHDS": vhds}
        discovery = await stack.enter_async_context(live_discovery(folder, config, env=env, args=args))
        proxies = [
            await stack.enter_async_context(
                live_proxy(folder, discovery, msgspec.structs.replace(node, name=name), delta=delta, sds=sds)
            )
            for name, delta in (("speaks-delta", True), ("speaks-sotw", False))
        ]
        for proxy in proxies:
            await proxy.until_live()
        yield Rig(discovery, (proxies[0], proxies[1]))


def config_folder(folder: Path, **files: str) -> Path:
    """A directory with these files in it; ``__`` in a name stands for a dot."""
    config = folder / "config"
    config.mkdir()
    for name, text in files.items():
        (config / f"{name.replace('__', '.')}.yaml").write_text(text, encoding="utf-8")
    return config


@VHDS
@pytest.mark.parametrize("app", ["productpage", "client", "details"])
async def test_example(tmp_path: Path, app: str, vhds: str) -> None:
    """What the demo serves is taken by a sidecar that calls and is called, one that calls, and one that is called."""
    config = config_folder(tmp_path)
    for path in (EXAMPLES / "bookinfo").glob("*.yaml"):
        text = path.read_text(encoding="utf-8").replace("127.0.10.", "127.0.77.")  # a demo may be running
        (config / path.name).write_text(text, encoding="utf-8")
    ip = {"productpage": "127.0.77.11", "client": "127.0.77.10", "details": "127.0.77.12"}[app]
    node = ProxyNode(namespace="bookinfo", ip=ip, labels={"app": app, "version": "v1"})
    mesh = ("--meshConfig", str(EXAMPLES / "mesh.yaml"))
    async with rig(tmp_path, config, node, vhds=vhds, args=mesh) as running:
        held = await running.judge()
        (sample, _) = held.values()
        assert set(sample["listener"]) >= {f"{ip}_9443"} if app != "client" else {f"{ip}_9080"}


@VHDS
async def test_small_shop(tmp_path: Path, vhds: str) -> None:
    """The usual edits of a shop, one after the other: split, faults, mutual TLS, TCP, scope, and all taken back."""
    config = config_folder(tmp_path, shop=(CASES / "bookinfo.yaml").read_text(encoding="utf-8"))
    node = ProxyNode(ip="127.0.0.13", labels={"app": "reviews", "version": "v1"}, interception="REDIRECT")
    async with rig(tmp_path, config, node, vhds=vhds) as running:
        first = await running.edit("")
        for path in sorted((CASES / "edits").glob("*.yaml")):
            last = await running.edit(path.read_text(encoding="utf-8"))
        assert "9080" in next(iter(first.values()))["route"]
        assert _names(first) == _names(last)


def _names(held: dict[str, Held]) -> Any:
    return [{kind: sorted(found) for kind, found in each.items()} for each in held.values()]


@VHDS
@pytest.mark.parametrize("app", ["own", "stranger"])
async def test_every_field(tmp_path: Path, vhds: str, app: str) -> None:
    """Every field of the kinds that are served, for a workload that is selected by policies and one that is not."""
    config = config_folder(tmp_path, mesh=(CASES / "every-field.yaml").read_text(encoding="utf-8"))
    node = ProxyNode(ip="127.0.0.40", labels={"app": app, "version": "v1"}, interception="REDIRECT")
    async with rig(tmp_path, config, node, vhds=vhds) as running:
        found = (await running.discovery.debug("push_status"))["configuration"].values()
        assert [entry for entry in found if entry["severity"] != "warning"] == []  # old fields are among them all
        await running.edit("")
        await running.edit((CASES / "every-field.scoped.yaml").read_text(encoding="utf-8"))
        await running.edit("")


def _documents(path: Path) -> Iterator[str]:
    yield from re.split(r"^---.*$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)


@VHDS
@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the conformance data is not beside the repository")
async def test_samples(tmp_path: Path, vhds: str) -> None:
    """What users really write: each file of Istio's samples over its bookinfo, edited in one after the other."""
    base = (SAMPLES / "bookinfo/platform/kube/bookinfo.yaml").read_text(encoding="utf-8")
    shop = (CASES / "bookinfo.yaml").read_text(encoding="utf-8")
    entries = "---".join(part for part in shop.split("---") if "kind: WorkloadEntry" in part)
    config = config_folder(tmp_path, bookinfo=base, entries=entries)
    node = ProxyNode(ip="127.0.0.13", labels={"app": "reviews", "version": "v1"}, interception="REDIRECT")
    async with rig(tmp_path, config, node, vhds=vhds) as running:
        for path in sorted(SAMPLES.rglob("*.yaml")):
            text = path.read_text(encoding="utf-8")
            if SERVED.search(text) and "{{" not in text:
                await running.edit("---".join(part for part in _documents(path) if SERVED.search(part)))


@VHDS
@pytest.mark.skipif(not BENCH.is_dir(), reason="the conformance data is not beside the repository")
async def test_benchmark_inputs(tmp_path: Path, vhds: str) -> None:
    """What Istio's own benchmark renders for sidecars, in small."""
    cases = yaml.safe_load((BENCH.parent / "cases.yaml").read_text(encoding="utf-8"))["cases"]
    config = config_folder(tmp_path)
    node = ProxyNode(ip="1.1.1.1", labels={"istio.io/benchmark": "true"}, interception="REDIRECT")
    async with rig(tmp_path, config, node, vhds=vhds) as running:
        for case in cases:
            if case.get("proxy_type") == "sidecar" and "small" in case:
                await running.edit((BENCH.parent / case["small"]).read_text(encoding="utf-8"))
