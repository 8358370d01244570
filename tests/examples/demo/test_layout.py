from __future__ import annotations

import json
from pathlib import Path

import pytest

from agent.bootstrap.podinfo import parse_podinfo
from agent.settings import Flags, load_settings
from discovery.cli import cli
from examples.apps.bookinfo import parse_options
from examples.demo.layout import (
    BLOCKS,
    Block,
    Variant,
    Workload,
    agent_argv,
    agent_environment,
    app_argv,
    discovery_argv,
    discovery_environment,
    pod_labels,
    read_workloads,
)

REVIEWS = Workload(
    name="reviews-v2",
    namespace="bookinfo",
    address="127.0.11.14",
    labels={"app": "reviews", "version": "v2"},
    service_account="bookinfo-reviews",
)


def test_workloads_are_the_workload_entries() -> None:
    """Other objects of the text are passed over, the order stays."""
    text = """
kind: Service
metadata: {name: a, namespace: n}
---
kind: WorkloadEntry
metadata: {name: w, namespace: n}
spec: {address: 127.0.10.9, labels: {app: a, version: v1}, serviceAccount: s}
"""
    (found,) = read_workloads(text)
    assert (found.name, found.address, found.app, found.version) == ("w", "127.0.10.9", "a", "v1")
    assert found.identity == "spiffe://cluster.local/ns/n/sa/s"


def test_blocks_share_nothing() -> None:
    """Demos that run at the same time have addresses and host ports of their own."""
    blocks = [Block(number) for number in range(BLOCKS)]
    assert len({block.relocate("address: 127.0.10.11") for block in blocks}) == BLOCKS
    ports = [port for block in blocks for workload in range(10) for port in block.agent_ports(workload)]
    assert len(set(ports)) == len(ports)
    assert max(ports) < 32768, "above, the system gives ports to outgoing connections"


def test_the_written_addresses_are_those_of_the_first_block() -> None:
    """What the YAML says is what a single demo uses."""
    assert Block().relocate("127.0.10.11 and 127.0.0.1") == "127.0.10.11 and 127.0.0.1"


def test_the_agent_understands_its_environment(tmp_path: Path) -> None:
    """Everything that is set has an effect; nothing is ignored."""
    block = Block(1)
    settings = load_settings(
        Flags(concurrency=1), agent_environment(block, REVIEWS, block.agent_ports(4)), directory=tmp_path
    )
    assert settings.warnings == ()
    assert settings.env.instance_ip == "127.0.11.14"
    assert settings.config.discovery_address == "127.0.11.1:15012"
    assert settings.config.status_port == block.agent_ports(4).status
    assert settings.node_environ["ISTIO_META_INTERCEPTION_MODE"] == "NONE"


def test_the_labels_file_is_one_that_the_agent_reads() -> None:
    """As a kubelet writes it."""
    assert parse_podinfo(pod_labels(REVIEWS)) == {"app": "reviews", "version": "v2"}


def test_the_control_plane_knows_its_flags(tmp_path: Path) -> None:
    """No flag is one that `pilot-discovery` would only ignore."""
    argv = discovery_argv(Block(), "pilot-discovery", mesh=tmp_path, config=tmp_path, state=tmp_path)
    known = {name for param in cli.commands["discovery"].params for name in param.opts}
    assert {flag.partition("=")[0] for flag in argv[2:]} <= known


def test_the_agent_is_a_sidecar_with_one_worker() -> None:
    """Seven Envoys with a worker for each CPU would be many threads for nothing."""
    assert agent_argv("pilot-agent") == ("pilot-agent", "proxy", "sidecar", "--concurrency=1")


def test_applications_call_whom_bookinfo_calls() -> None:
    """The second and third version of reviews ask for ratings; all use their own address."""
    options = parse_options(app_argv("python", REVIEWS)[3:])
    assert options.calls == ("ratings:9080",)
    assert options.listen == ("127.0.11.14", 8080)
    assert options.through == ("127.0.11.14", 9080)


def test_proxy_config_is_json() -> None:
    """Which the agent reads without loading YAML."""
    environment = agent_environment(Block(), REVIEWS, Block().agent_ports(0))
    assert json.loads(environment["PROXY_CONFIG"])["terminationDrainDuration"] == "0s"


@pytest.mark.parametrize(
    ("variant", "delta", "vhds"),
    [(Variant.DELTA, True, True), (Variant.DELTA_RDS, True, False), (Variant.SOTW, False, False)],
)
def test_variants_are_switches_of_the_programs(variant: Variant, tmp_path: Path, *, delta: bool, vhds: bool) -> None:
    """The agent's Envoy asks for differences or states; the control plane serves virtual hosts or whole routes."""
    environment = agent_environment(Block(), REVIEWS, Block().agent_ports(0), variant=variant)
    assert load_settings(Flags(), environment, directory=tmp_path).env.delta_xds is delta
    assert discovery_environment(variant) == {"PILOT_ENABLE_VHDS": str(vhds).lower()}
