"""The status server, wired as the settings say: what it asks, what it tells, what it may order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from agent.envoy.absent import EnvoyLife
from agent.envoy.admin import EnvoyAdmin
from agent.envoy.ending import Reason
from agent.grpc_bootstrap import grpc_objection
from agent.launch import Launch
from agent.metrics import Registry
from agent.settings import Settings
from agent.status.app_probes import AppProbes
from agent.status.metrics import StatusMetrics
from agent.status.probe_http import HttpProber
from agent.status.probers import parse_probes
from agent.status.readiness import Check, EnvoyConfigured, EnvoyLive, Gate
from agent.status.scrape import Scrape, ScrapeSources
from agent.status.scrape_targets import ScrapeTarget, parse_scrape_targets
from agent.status.server import StatusRoutes
from discovery.runtime.http import HttpServer, Limits
from discovery.runtime.http_client import TcpTarget
from discovery.wire.node import NodeType

__all__ = ["build_status_server"]

# A probe without a limit of its own is bounded by kubelet's patience, not by ours.
_HANDLER_S = 600.0


class Names(Protocol):
    """Names of the mesh, as the control plane tells them."""

    @property
    def objection(self) -> str:
        """Why they are not there; empty when they are."""

    def document(self) -> dict[str, Any] | None:
        """For people; None: not there."""


def build_status_server(
    settings: Settings,
    launch: Launch,
    envoy: EnvoyLife,
    *,
    registry: Registry,
    age_s: Callable[[], float],
    names: Names | None = None,
) -> HttpServer:
    """The server at ``statusPort``.

    ``age_s``: how long the agent has been running. ``names``: those that the DNS proxy answers, if there is one;
    without them the workload is not ready, and ``/debug/ndsz`` shows them.

    Raises:
        ProbeTableError, ScrapeTargetError: what the injector wrote about the application cannot be read.
    """
    env, port = settings.env, settings.config.status_port
    metrics = StatusMetrics(registry)
    admin = EnvoyAdmin(TcpTarget(launch.addresses.localhost, settings.config.proxy_admin_port))
    checks: list[Check] = [
        Gate("shutdown", lambda: "server is terminated" if envoy.ending else ""),
        Gate("grpc bootstrap", lambda: grpc_objection(settings)),
    ]
    if not env.disable_envoy:
        live = EnvoyLive(admin, life=lambda: envoy.life, on_pass=lambda: metrics.startup_duration.set(age_s()))
        checks = [EnvoyConfigured(admin, life=lambda: envoy.life), checks[0], live, checks[1]]
    checks += [Gate("dns", lambda: names.objection)] if names is not None else []
    scrape = Scrape(metrics, registry.render, _sources(settings, launch), local_only=env.metrics_localhost_only)
    probes = AppProbes(
        parse_probes(env.app_probers),
        host="localhost" if env.probe_localhost or not env.instance_ip else env.instance_ip,
        status_port=port,
        prober=HttpProber(keep_alive=env.probe_keepalive, http2=env.probe_http2),
    )
    routes = StatusRoutes(
        checks,
        scrape,
        probes,
        drain=envoy.drain,
        quit_agent=lambda: envoy.request_end(Reason.QUIT),
        debug={"ndsz": names.document} if names is not None else {},
    )
    return HttpServer("status", routes, port=port, limits=Limits(handler_s=_HANDLER_S))


def _sources(settings: Settings, launch: Launch) -> ScrapeSources:
    env, config = settings.env, settings.config
    envoy = None
    if env.merge_envoy_stats and not env.disable_envoy:
        envoy = TcpTarget(launch.addresses.localhost, env.prometheus_port or config.proxy_admin_port)
    application: tuple[ScrapeTarget, ...] = ()
    if settings.role is NodeType.SIDECAR:
        own = {config.status_port, config.proxy_admin_port, env.status_port, env.prometheus_port}
        application = parse_scrape_targets(env.prometheus_annotations, reserved=own)
    return ScrapeSources(envoy=envoy, application=application)
