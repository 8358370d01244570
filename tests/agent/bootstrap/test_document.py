from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from agent.launch import Launch
from tests.kit.agent import launch, settings
from tests.kit.envoy_json import parse_message
from tests.kit.goldens import GoldenCase, golden_cases, orphans
from tests.kit.prerequisites import envoy_binary

CASES = Path(__file__).parent / "cases"


def _launch(text: str, directory: Path) -> Launch:
    given = yaml.safe_load(text)
    told = settings(directory, **{key: given.get(key) for key in ("flags", "env", "labels", "annotations")})
    return launch(told, ips=given["ips"], host=given.get("host"))


def _document(launched: Launch) -> dict[str, Any]:
    assert launched.bootstrap is not None
    document: dict[str, Any] = msgspec.json.decode(launched.bootstrap.encode())
    return document


def _named(value: Any) -> Any:
    """A list of named things as a mapping, so that differences are by name."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {item["name"]: item for item in value}
    return value


def _difference(base: Any, value: Any) -> Any:
    """The members of ``value`` that ``base`` does not have or has otherwise; gone ones are null."""
    base, value = _named(base), _named(value)
    if not (isinstance(base, Mapping) and isinstance(value, Mapping)):
        return value
    return {
        key: _difference(base.get(key), value.get(key))
        for key in sorted({*base, *value})
        if base.get(key) != value.get(key)
    }


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_bootstrap_golden(case: GoldenCase, update_goldens: bool, tmp_path: Path) -> None:
    """Command line, warnings and bootstrap; of the latter what differs from the case `minimal`."""
    launched = _launch(case.text(), tmp_path / "this")
    assert launched.bootstrap is not None
    document = _document(launched)
    if case.name != "minimal":
        base = _document(_launch((CASES / "minimal.in.yaml").read_text(), tmp_path / "minimal"))
        document = _difference(base, document)
    shown = {"argv": list(launched.argv), "warnings": list(launched.bootstrap.warnings), "bootstrap": document}
    text = yaml.safe_dump(shown, sort_keys=True, default_flow_style=False, width=120)
    case.check("bootstrap", text, update=update_goldens)


def test_no_orphans() -> None:
    """Every golden has an input."""
    assert orphans(CASES, kinds=("bootstrap",)) == []


@pytest.mark.parametrize("case", golden_cases(CASES))
def test_a_bootstrap_is_a_message(case: GoldenCase, tmp_path: Path) -> None:
    """No field is misspelt: the document reads as Envoy's Bootstrap."""
    parse_message(_document(_launch(case.text(), tmp_path)), "envoy.config.bootstrap.v3.Bootstrap")


@pytest.mark.envoy
@pytest.mark.parametrize("case", golden_cases(CASES))
def test_unmodified_envoy_accepts_it(case: GoldenCase, tmp_path: Path) -> None:
    """``envoy --mode validate`` with the very command line of the agent, unknown fields refused."""
    launched = _launch(case.text(), tmp_path)
    assert launched.bootstrap is not None
    (tmp_path / "bootstrap.json").write_bytes(launched.bootstrap.encode())
    args = [*launched.argv[1:], "--mode", "validate"]
    args[args.index("-c") + 1] = str(tmp_path / "bootstrap.json")
    args.remove("--allow-unknown-static-fields")
    done = subprocess.run(
        [str(envoy_binary()), *args], capture_output=True, check=False, timeout=60, cwd=tmp_path, text=True
    )
    assert done.returncode == 0, done.stderr


def test_istio_extensions_need_an_envoy_that_has_them(tmp_path: Path) -> None:
    """With Istio's build metadata discovery is configured, and its statistics are kept."""
    told = settings(tmp_path, env={"ISTIO_META_ENABLE_HBONE": "true"})
    document = _document(launch(told, host={"istio_envoy": True}))
    assert document["bootstrap_extensions"][0]["name"] == "metadata_discovery"
    patterns = document["stats_config"]["stats_matcher"]["inclusion_list"]["patterns"]
    assert {"prefix": "workload_discovery"} in patterns


def test_lightstep_reads_its_token_from_a_file(tmp_path: Path) -> None:
    """The token itself is not in the tracer's configuration."""
    config = '{"tracing": {"lightstep": {"address": "l:8080", "accessToken": "t"}}, "configPath": "x"}'
    document = _document(launch(settings(tmp_path, env={"PROXY_CONFIG": config})))
    assert document["tracing"]["http"]["typed_config"]["access_token_file"] == "x/lightstep_access_token.txt"
    assert [c["name"] for c in document["static_resources"]["clusters"]][-1] == "lightstep"


def test_a_custom_file_replaces_the_bootstrap(tmp_path: Path) -> None:
    """Envoy is started with the file as it is."""
    launched = launch(settings(tmp_path, env={"PROXY_CONFIG": '{"customConfigFile": "mine.yaml"}'}))
    assert launched.bootstrap is None
    assert launched.argv[1:3] == ("-c", "mine.yaml")


def test_load_statistics_must_be_json(tmp_path: Path) -> None:
    """A broken text is an error with the variable's name, not a broken bootstrap."""
    told = settings(tmp_path, env={"ISTIO_META_LOAD_STATS_CONFIG_JSON": "nope"})
    with pytest.raises(ValueError, match="ISTIO_META_LOAD_STATS_CONFIG_JSON"):
        launch(told)


@pytest.mark.envoy
@pytest.mark.parametrize("modern", [True, False])
def test_no_field_of_dns_is_deprecated(tmp_path: Path, *, modern: bool) -> None:
    """With the extension in their place Envoy does not warn of them; older ones, which lack it, get the fields."""
    text = (CASES / "services_dns.in.yaml").read_text()
    launched = _launch(text.replace("dns_cluster: true", f"dns_cluster: {modern}"), tmp_path)
    assert launched.bootstrap is not None
    (tmp_path / "bootstrap.json").write_bytes(launched.bootstrap.encode())
    args = [str(envoy_binary()), "-c", str(tmp_path / "bootstrap.json"), "--mode", "validate", "-l", "warning"]
    done = subprocess.run(args, capture_output=True, check=False, timeout=60, cwd=tmp_path, text=True)
    assert done.returncode == 0, done.stderr
    assert ("respect_dns_ttl" in done.stderr) == (not modern)
