"""Envoy as the settings say: its processes, one epoch after the other, and the file that each is started with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from agent.envoy.admin import EnvoyAdmin
from agent.envoy.args import compliance_environment
from agent.envoy.ending import DrainPolicy
from agent.envoy.replacement import Replacement
from agent.envoy.supervisor import EnvoySupervisor
from agent.launch import Host, Launch, plan_launch
from agent.settings import Settings, process_environ
from discovery.runtime.files import write_atomically
from discovery.runtime.http_client import TcpTarget
from discovery.runtime.process import Process, ProcessSpec
from discovery.wire.node import NodeType

__all__ = ["StartError", "bootstrap_file", "build_envoy", "telemetry_attributes"]

_OTEL_ATTRIBUTES: Final = "OTEL_RESOURCE_ATTRIBUTES"


class StartError(RuntimeError):
    """The agent cannot start; the text says why and what to do."""


def build_envoy(
    settings: Settings, host: Host, launch: Launch, *, over: asyncio.Event, monotonic: Callable[[], float]
) -> EnvoySupervisor:
    """The supervisor of an Envoy that has not been started yet. ``launch``: what the first one is started with."""
    config, env = settings.config, settings.env
    environ = {**process_environ(), **compliance_environment(env.compliance_policy)}
    environ[_OTEL_ATTRIBUTES] = telemetry_attributes(environ.get(_OTEL_ATTRIBUTES, ""), service=launch.node.cluster)
    policy = DrainPolicy(
        inbound_only=settings.role is NodeType.SIDECAR,
        wait_s=config.seconds(config.termination_drain_duration, default=5.0),
        until_zero_connections=env.exit_on_zero_connections,
        minimum_s=env.minimum_drain_s,
        maximum_s=env.maximum_drain_s,
    )

    def spawn(epoch: int) -> Process:
        planned = plan_launch(settings, host, epoch=epoch) if epoch else launch
        if epoch and planned.bootstrap is not None:
            write_atomically(Path(planned.paths.bootstrap_file), planned.bootstrap.encode(), mode=0o600)
        return Process(ProcessSpec(name="envoy", argv=planned.argv, env=environ))

    admin = EnvoyAdmin(TcpTarget(launch.addresses.localhost, config.proxy_admin_port))
    replacement = None
    if host.hot_restart is not None:
        argv = plan_launch(settings, msgspec.structs.replace(host, hot_restart=None)).argv
        replacement = Replacement(host.hot_restart, argv, admin)
    return EnvoySupervisor(
        spawn,
        admin,
        policy,
        own_ports=(env.status_port, env.prometheus_port, env.secure_metrics_port, env.secure_merged_metrics_port),
        max_restarts=env.envoy_max_restarts,
        over=over,
        monotonic=monotonic,
        replacement=replacement,
    )


def telemetry_attributes(said: str, *, service: str) -> str:
    """``OTEL_RESOURCE_ATTRIBUTES`` by which Envoy's spans tell whose they are; a name that was given stays.

    Spec: https://opentelemetry.io/docs/specs/otel/resource/sdk/#specifying-resource-information-via-an-environment-variable
    """
    pairs = [pair.strip() for pair in said.split(",") if pair.strip()]
    if not any(pair.partition("=")[0].strip() == "service.name" for pair in pairs):
        pairs.append(f"service.name={service}")
    return ",".join(pairs)


@contextmanager
def bootstrap_file(settings: Settings, launch: Launch) -> Iterator[None]:
    """The bootstrap lies on disk while Envoy lives; a file that the user gave is not ours to touch."""
    if launch.bootstrap is None or settings.env.disable_envoy:
        yield
        return
    directory = Path(settings.config.config_path)
    path = Path(launch.paths.bootstrap_file)
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_atomically(path, launch.bootstrap.encode(), mode=0o600)
        tracing = settings.config.tracing
        if tracing is not None and tracing.lightstep is not None:
            write_atomically(Path(launch.paths.lightstep_token), tracing.lightstep.access_token.encode(), mode=0o600)
    except OSError as error:
        raise StartError(
            f"bootstrap {path}: {error.strerror or error}; is configPath ({directory}) writable?"
        ) from error
    try:
        yield
    finally:
        path.unlink(missing_ok=True)
