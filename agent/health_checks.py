"""The health checks of a virtual machine, wired as the settings say; a pod's are kubelet's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.envoy.absent import EnvoyLife
from agent.envoy.admin import EnvoyAdmin
from agent.health.ask import ask
from agent.health.checker import HealthChecker
from agent.health.probe import parse_probe
from agent.launch import Launch
from agent.settings import Settings
from agent.status.readiness import Check, EnvoyConfigured, EnvoyLive
from agent.xds_proxy.relay import Health
from discovery.runtime.clock import Clock
from discovery.runtime.http_client import TcpTarget

__all__ = ["build_health_checker", "farewell"]

_LEAVING = Health(failure="the agent is shutting down")


def build_health_checker(
    settings: Settings, launch: Launch, envoy: EnvoyLife, report: Callable[[Health], None], *, clock: Clock
) -> HealthChecker | None:
    """Who probes the application; None where the configuration has no ``readinessProbe``.

    Raises:
        ProbeError: it has one that cannot be used.
    """
    config = settings.config
    if config.readiness_probe is None:
        return None
    checks: list[Check] = []
    if not settings.env.disable_envoy:
        admin = EnvoyAdmin(TcpTarget(launch.addresses.localhost, config.proxy_admin_port))
        checks = [EnvoyConfigured(admin, life=lambda: envoy.life), EnvoyLive(admin, life=lambda: envoy.life)]
    address = "localhost" if settings.env.probe_localhost else str(launch.node.metadata["INSTANCE_IPS"]).split(",")[0]

    def tell(health: Health) -> None:
        if not envoy.ending:  # the last word has been spoken
            report(health)

    return HealthChecker(
        parse_probe(config.readiness_probe), partial(ask, address=address), tell, clock=clock, checks=checks
    )


def farewell(launch: Launch, report: Callable[[Health], None]) -> None:
    """Have a workload that registers itself taken out before its sidecar stops taking connections."""
    metadata = launch.node.metadata
    if metadata.get("AUTO_REGISTER_GROUP") or metadata.get("WORKLOAD_ENTRY"):
        report(_LEAVING)
