from __future__ import annotations

import pytest

from agent.envoy.args import ArgsKey, build_args, compliance_environment, split_log_level
from agent.envoy.hot_restart import HotRestart

_FIXED = (
    "envoy -c f --drain-time-s 45 --drain-strategy immediate --local-address-ip-version v4 "
    "--file-flush-interval-msec 1000 --disable-hot-restart --allow-unknown-static-fields"
)
_SHARED = HotRestart(base_id=7, socket_path="s", parent_shutdown_s=50)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ({}, f"{_FIXED} -l warning --skip-deprecated-logs"),
        ({"log_level": "", "skip_deprecated_logs": False}, _FIXED),
        ({"drain_duration": "60s", "log_level": ""}, f"{_FIXED.replace('45', '60')} --skip-deprecated-logs"),
        ({"file_flush_interval": "0.250s", "log_level": ""}, f"{_FIXED.replace('1000', '250')} --skip-deprecated-logs"),
        ({"ip_version": "v6", "log_level": ""}, f"{_FIXED.replace('v4', 'v6')} --skip-deprecated-logs"),
        (
            {
                "file_flush_min_size_kb": 0,
                "log_level": "info,misc:error",
                "component_log_level": "lost:debug",
                "core_dump": True,
                "config_override": "{}",
                "concurrency": 2,
            },
            f"{_FIXED} --file-flush-min-size-kb 0 -l info --component-log-level misc:error --skip-deprecated-logs "
            "--enable-core-dump --config-yaml {} --concurrency 2",
        ),
        (
            {"log_level": "", "hot_restart": _SHARED, "epoch": 2},
            f"{_FIXED.replace('--disable-hot-restart', ' '.join(_SHARED.args(2)))} --skip-deprecated-logs",
        ),
        (
            {"component_log_level": "a:debug"},
            f"{_FIXED} -l warning --component-log-level a:debug --skip-deprecated-logs",
        ),
    ],
)
def test_the_command_line(given: dict[str, object], line: str) -> None:
    """Flag by flag; components in the level replace those of their own flag."""
    assert " ".join(build_args(ArgsKey(binary="envoy", config_file="f", **given))) == line  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("warning", ("warning", "", ())),
        ("warning,misc:error", ("warning", "misc:error", ())),
        ("misc:error,http:debug", ("", "misc:error,http:debug", ())),
        ("info,debug", ("debug", "", ())),
        ("a:b:c,info", ("info", "", ("a:b:c",))),
        ("", ("", "", ())),
    ],
)
def test_levels_are_split(text: str, parts: tuple[str, str, tuple[str, ...]]) -> None:
    """The last plain level counts; what has two colons is neither."""
    assert split_log_level(text) == parts


def test_compliance_restricts_ciphers() -> None:
    """Envoy's own gRPC client reads them from the environment."""
    assert "GRPC_SSL_CIPHER_SUITES" in compliance_environment("fips-140-2")
    assert compliance_environment("") == {}
