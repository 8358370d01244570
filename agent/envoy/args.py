"""Envoy's command line, as a pure function of what the agent was told."""

from __future__ import annotations

import msgspec

from agent.envoy.hot_restart import HotRestart
from discovery.wire.durations import parse_duration

__all__ = ["ArgsKey", "build_args", "compliance_environment", "split_log_level"]

_FIPS_CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384"
)


class ArgsKey(msgspec.Struct, frozen=True, kw_only=True):
    """All that the command line depends on. Durations are texts in Go's or protobuf's form; empty: the default."""

    binary: str
    config_file: str
    drain_duration: str = "45s"
    ip_version: str = "v4"
    file_flush_interval: str = ""
    file_flush_min_size_kb: int | None = None
    log_level: str = "warning"
    component_log_level: str = ""
    skip_deprecated_logs: bool = True
    core_dump: bool = False
    config_override: str = ""  # JSON
    concurrency: int = 0
    hot_restart: HotRestart | None = None
    epoch: int = 0


def split_log_level(levels: str) -> tuple[str, str, tuple[str, ...]]:
    """``warning,misc:error`` as level, component levels, and items that are neither.

    Of several levels the last counts.
    """
    level, components, dropped = "", [], []
    for item in filter(None, (part.strip() for part in levels.split(","))):
        if item.count(":") == 0:
            level = item
        elif item.count(":") == 1:
            components.append(item)
        else:
            dropped.append(item)
    return level, ",".join(components), tuple(dropped)


def build_args(key: ArgsKey) -> tuple[str, ...]:
    """The whole command line, program first."""
    flush_s = parse_duration(key.file_flush_interval) if key.file_flush_interval else 1.0
    args = [
        key.binary,
        *("-c", key.config_file),
        *("--drain-time-s", str(int(parse_duration(key.drain_duration)))),
        *("--drain-strategy", "immediate"),
        *("--local-address-ip-version", key.ip_version),
        *("--file-flush-interval-msec", str(int(flush_s * 1000))),
        *(key.hot_restart.args(key.epoch) if key.hot_restart else ("--disable-hot-restart",)),
        "--allow-unknown-static-fields",
    ]
    if key.file_flush_min_size_kb is not None:
        args += ["--file-flush-min-size-kb", str(key.file_flush_min_size_kb)]
    level, components, _ = split_log_level(key.log_level)
    if level:
        args += ["-l", level]
    if components or key.component_log_level:
        args += ["--component-log-level", components or key.component_log_level]
    if key.skip_deprecated_logs:
        args.append("--skip-deprecated-logs")
    if key.core_dump:
        args.append("--enable-core-dump")
    if key.config_override:
        args += ["--config-yaml", key.config_override]
    if key.concurrency > 0:
        args += ["--concurrency", str(key.concurrency)]
    return tuple(args)


def compliance_environment(policy: str) -> dict[str, str]:
    """What Envoy's environment needs besides ours to keep its gRPC client within a compliance policy."""
    return {"GRPC_SSL_CIPHER_SUITES": _FIPS_CIPHERS} if policy in ("fips-140-2", "fips-140-3") else {}
