from __future__ import annotations

from pathlib import Path

from agent.launch import Paths
from tests.kit.agent import launch, settings


def test_paths_follow_the_configuration(tmp_path: Path) -> None:
    """Everything of one agent moves with configPath and the socket's name; relative stays relative."""
    paths = Paths.of(settings(tmp_path, env={"PROXY_CONFIG": '{"configPath": "./two"}'}))
    assert (paths.xds_socket, paths.bootstrap_file) == ("./two/XDS", "./two/envoy-rev.json")
    assert paths.sds_socket == "./var/run/secrets/workload-spiffe-uds/socket"


def test_statsd_goes_to_its_resolved_address(tmp_path: Path) -> None:
    """Envoy takes no names there; unresolved it is left out."""
    told = settings(tmp_path, env={"PROXY_CONFIG": '{"statsdUdpAddress": "statsd:9125"}'})
    with_address = launch(told, host={"statsd_address": "10.0.0.9:9125"})
    without = launch(told, host={"statsd_address": ""})
    assert with_address.bootstrap is not None
    assert without.bootstrap is not None
    assert with_address.bootstrap.document["stats_sinks"][0]["name"] == "envoy.stat_sinks.statsd"
    assert "stats_sinks" not in without.bootstrap.document


def test_workers_follow_the_limit_of_the_container(tmp_path: Path) -> None:
    """Unless somebody said how many; without a limit Envoy decides."""
    told, said = settings(tmp_path), settings(tmp_path, flags={"concurrency": 3})
    assert "--concurrency" not in launch(told).argv
    for settled, expected in ((told, "2"), (said, "3")):
        argv = launch(settled, host={"cpus": 2}).argv
        assert argv[argv.index("--concurrency") + 1] == expected


def test_the_same_settings_give_the_same_bytes(tmp_path: Path) -> None:
    """The bootstrap depends on nothing else."""
    told = settings(tmp_path, env={"POD_NAME": "web-0"})
    one, two = launch(told).bootstrap, launch(told).bootstrap
    assert one is not None
    assert two is not None
    assert one.encode() == two.encode()
