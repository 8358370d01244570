"""From one start of the agent to Envoy's bootstrap, through the agent's own settings."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import json_format

from agent.bootstrap import NodeKey, build_bootstrap, build_node
from agent.bootstrap.addresses import plan_addresses
from agent.launch import Host, agent_keys, bootstrap_key
from agent.settings import Flags, Settings, load_settings
from tests.kit.conformance import Case, cases
from tests.kit.envoy_json import first_difference, parse_message
from tests.kit.prerequisites import envoy_binary

_BOOTSTRAP = "envoy.config.bootstrap.v3.Bootstrap"


def _settings(case: Case, directory: Path, expected: dict[str, Any]) -> Settings:
    """What the agent reads: PROXY_CONFIG, the process environment, the annotations file."""
    config = {
        **case["proxy_config"],
        "configPath": expected["node"]["metadata"]["PROXY_CONFIG"]["configPath"],
        "customConfigFile": "envoy_bootstrap.json",
    }
    if case.get("proxy_metadata"):
        config["proxyMetadata"] = case["proxy_metadata"]
    environ = {
        **case["defaults"]["env"],
        **(case["env"] or {}),
        "WORKLOAD_IDENTITY_SOCKET_FILE": case["workload_identity_socket_file"],
        "ENVOY_STATUS_PORT": str(case["envoy_status_port"]),
        "ENVOY_PROMETHEUS_PORT": str(case["envoy_prometheus_port"]),
        "ENVOY_SECURE_METRICS_PORT": str(case.get("envoy_secure_metrics_port", 0)),
        "ENVOY_SECURE_MERGED_METRICS_PORT": str(case.get("envoy_secure_merged_metrics_port", 0)),
        "COMPLIANCE_POLICY": case.get("compliance_policy", ""),
        "PROXY_CONFIG": json.dumps(config),
    }
    annotations = case.get("annotations") or {}
    if annotations:
        environ["ISTIO_METAJSON_ANNOTATIONS"] = json.dumps(annotations)
    folder = directory / "etc/istio/pod"
    folder.mkdir(parents=True)
    (folder / "annotations").write_text("".join(f"{key}={json.dumps(annotations[key])}\n" for key in annotations))
    settings = load_settings(Flags(outlier_log_path=case["outlier_log_path"]), environ, directory=directory)
    # The cases name every field themselves; Istio's defaults are another test's matter.
    named = msgspec.convert({"statusPort": 15020, **config}, type(settings.config), strict=False)
    return msgspec.structs.replace(settings, config=named)


def _generate(case: Case, settings: Settings, *, istio_envoy: bool = True) -> dict[str, Any]:
    statsd = settings.config.statsd_udp_address
    host = Host(ips=tuple(case["instance_ips"]), istio_envoy=istio_envoy, statsd_address=statsd)
    node = build_node(
        NodeKey(
            id=case["node_id"],
            proxy_config=settings.config,
            environ=settings.node_environ,
            name=settings.env.pod_name,
            namespace=settings.env.pod_namespace,
            service_account=settings.env.service_account,
            instance_ips=host.ips,
            pilot_san=tuple(case["pilot_subject_alt_name"]),
            pod_labels=settings.pod_labels,
            annotations=settings.annotations,
            agent_keys=agent_keys(settings, host),
            istio_version=case["istio_version"],
        )
    )
    key = bootstrap_key(settings, host, node=node, addresses=plan_addresses(host.ips, dual_stack=False))
    document: dict[str, Any] = json.loads(build_bootstrap(key).encode())
    return document


def _normal(document: dict[str, Any], *, keep_locality: bool) -> dict[str, Any]:
    if not keep_locality:
        document["node"]["locality"].update({"zone": "", "region": ""})
    for cluster in document["static_resources"]["clusters"]:
        if cluster["name"] == "xds-grpc":
            address = cluster["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]["address"]
            assert address["pipe"]["path"].endswith("/XDS")
            address["pipe"]["path"] = "XDS"
    return document


def _patterns(document: dict[str, Any], kind: str) -> list[str]:
    patterns = document["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]
    return [
        pattern[kind]["regex"] if kind == "safe_regex" else pattern[kind] for pattern in patterns if kind in pattern
    ]


@pytest.mark.parametrize("case", cases("bootstrap"))
def test_bootstrap(case: Case, tmp_path: Path) -> None:
    """The generated bootstrap equals the expected one as a message."""
    expected = json.loads(case.text(case["expected"]))
    document = _generate(case, _settings(case, tmp_path, expected))
    keep = bool(case.get("keep_locality"))
    wanted = case["stats_matcher"]
    for kind, name in (("prefix", "prefixes"), ("suffix", "suffixes"), ("safe_regex", "regexes")):
        assert _patterns(document, kind) == wanted[name]
    left = parse_message(_normal(document, keep_locality=keep), _BOOTSTRAP)
    right = parse_message(_normal(expected, keep_locality=keep), _BOOTSTRAP)
    assert left == right, first_difference(json_format.MessageToDict(left), json_format.MessageToDict(right))


@pytest.mark.envoy
@pytest.mark.parametrize("case", cases("bootstrap"))
def test_envoy_accepts_it(case: Case, tmp_path: Path) -> None:
    """Each is taken by ``envoy --mode validate``; without what only Istio's build of Envoy has."""
    expected = json.loads(case.text(case["expected"]))
    document = _generate(case, _settings(case, tmp_path, expected), istio_envoy=False)
    (tmp_path / "bootstrap.json").write_text(json.dumps(document), encoding="utf-8")
    args = [str(envoy_binary()), "-c", str(tmp_path / "bootstrap.json"), "--mode", "validate", "-l", "error"]
    done = subprocess.run(args, capture_output=True, check=False, timeout=60, cwd=tmp_path, text=True)
    assert done.returncode == 0, done.stderr
