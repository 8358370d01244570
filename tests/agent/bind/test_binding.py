"""What to bind to, and a bootstrap that says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agent.bind.binding import Binding, BindingError, bind_bootstrap, parse_binding
from tests.kit.agent import launch, settings


@pytest.mark.parametrize(
    ("addresses", "device", "binding"),
    [
        ("", "", None),
        ("10.0.0.7", "", Binding(v4="10.0.0.7")),
        ("fd00::7", "", Binding(v6="fd00::7")),
        (" fd00::7 , 10.0.0.7,", "", Binding(v4="10.0.0.7", v6="fd00::7")),
        ("", "eth1", Binding(device="eth1")),
        ("10.0.0.7", "eth1", Binding(v4="10.0.0.7", device="eth1")),
    ],
)
def test_what_may_be_bound(addresses: str, device: str, binding: Binding | None) -> None:
    """One address of each family, and an interface."""
    assert parse_binding(addresses, device) == binding


@pytest.mark.parametrize(
    ("addresses", "device", "told"),
    [
        ("eth1", "", "PILOT_AGENT_BIND_ADDRESS: 'eth1' is no IP address"),
        ("10.0.0.7,10.0.0.8", "", "10.0.0.7 and 10.0.0.8: want one of each family"),
        ("", "a" * 16, "PILOT_AGENT_BIND_DEVICE"),
        ("", "eth 1", "PILOT_AGENT_BIND_DEVICE"),
    ],
)
def test_what_may_not(addresses: str, device: str, told: str) -> None:
    """With the variable that says so."""
    with pytest.raises(BindingError) as error:
        parse_binding(addresses, device)
    assert told in str(error.value)


def bootstrap(directory: Path, **env: str) -> Any:
    plan = launch(settings(directory, env=env))
    assert plan.bootstrap is not None
    return plan.bootstrap.document


def test_without_a_binding_the_bootstrap_says_nothing_of_it(tmp_path: Path) -> None:
    """Everybody else's stays as it was, byte for byte."""
    document = bootstrap(tmp_path)
    assert "cluster_manager" not in document
    assert not any("upstream_bind_config" in cluster for cluster in document["static_resources"]["clusters"])


def test_the_cluster_manager_binds_and_what_is_on_the_machine_is_left_out(tmp_path: Path) -> None:
    """Sockets of the agent and ports of Envoy itself are not reached from another interface."""
    env = {"PILOT_AGENT_BIND_ADDRESS": "fd00::7,10.0.0.7", "PILOT_AGENT_BIND_DEVICE": "eth1"}
    document = bootstrap(tmp_path, PROXY_CONFIG='{"tracing": {"zipkin": {"address": "zipkin:9411"}}}', **env)
    assert document["cluster_manager"]["upstream_bind_config"] == {
        "source_address": {"address": "10.0.0.7", "port_value": 0},
        "extra_source_addresses": [{"address": {"address": "fd00::7", "port_value": 0}}],
        "socket_options": [
            {"description": "bind to device", "level": 1, "name": 25, "buf_value": "ZXRoMQA=", "state": "STATE_PREBIND"}
        ],
    }
    own = {c["name"]: c.get("upstream_bind_config") for c in document["static_resources"]["clusters"]}
    assert own.pop("zipkin") is None
    unbound = {"description": "no device", "level": 1, "name": 25, "buf_value": "AA==", "state": "STATE_PREBIND"}
    assert own == {name: {"socket_options": [unbound]} for name in own}  # empty ones would be the common ones
    assert document["node"]["metadata"]["BOUND_UPSTREAM"] == "true"


def test_other_words_of_the_cluster_manager_stay() -> None:
    """The outlier log, for one."""
    document = {"static_resources": {"clusters": []}, "cluster_manager": {"outlier_detection": {}}}
    bound = bind_bootstrap(document, Binding(v4="10.0.0.7"))
    assert bound["cluster_manager"].keys() == {"outlier_detection", "upstream_bind_config"}
