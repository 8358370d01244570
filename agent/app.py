"""The agent put together: the only place that constructs its parts and wires them.

Order of a start: look at the host, plan, bind the status port, the SDS and the xDS socket, write the bootstrap, start
Envoy. Whatever the reason of the end, everything is released in reverse, and no Envoy is left behind.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

import msgspec

from agent.bootstrap.addresses import instance_ips
from agent.bootstrap.json_forms import split_address
from agent.cpu_limit import cpu_limit
from agent.envoy.absent import EnvoyLife, NoEnvoy
from agent.envoy.args import split_log_level
from agent.envoy.ending import Reason
from agent.envoy.hot_restart import HotRestart, plan_hot_restart
from agent.envoy_life import StartError, bootstrap_file, build_envoy
from agent.grpc_bootstrap import grpc_bootstrap_file
from agent.health_checks import build_health_checker, farewell
from agent.host import list_interfaces, may_bind, resolve_udp, socket_answers
from agent.identity import build_identity
from agent.launch import Host, Launch, Paths, plan_launch
from agent.metrics import Registry
from agent.process_metrics import ProcessMetrics
from agent.sds.trust_anchors import TrustAnchors
from agent.settings import Settings
from agent.status_port import build_status_server
from agent.upstreams import ways_out, xds_upstream
from agent.x509.client import X509
from agent.x509.process import X509Process
from agent.xds_proxy.metrics import RelayMetrics
from agent.xds_proxy.server import XdsProxy, XdsProxyOptions
from agent.xds_proxy.unix_socket import check_unserved
from discovery.runtime.clock import Clock
from discovery.runtime.envoy_binary import find_envoy, mentions
from discovery.runtime.http import HttpServer
from discovery.runtime.logs import get_logger
from discovery.runtime.supervise import Service, run_all
from discovery.wire.proxy_config import ProxyConfig

if TYPE_CHECKING:
    from agent.dns_proxy import DnsProxy

__all__ = ["StartError", "run_agent"]

_LOG: Final = get_logger("default")
_ISTIO_EXTENSION: Final = b"istio.workload.BootstrapExtension"
_DNS_CLUSTER: Final = b"envoy.extensions.clusters.dns.v3.DnsCluster"
_CREDENTIAL_SOCKET: Final = "./var/run/secrets/credential-uds/socket"
_PROBE_S: Final = 1.0
_RESOLVE_S: Final = 15.0


class _OptionalService:
    """A service without which the agent still does its main work: if it cannot bind, that is logged, not fatal."""

    def __init__(self, inner: HttpServer) -> None:
        self._inner = inner
        self._bound = False

    @property
    def name(self) -> str:
        return self._inner.name

    async def __aenter__(self) -> Self:
        try:
            await self._inner.__aenter__()
            self._bound = True
        except OSError as error:
            _LOG.error("service is off: its port cannot be bound", service=self.name, reason=str(error))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bound:
            await self._inner.__aexit__(kind, error, trace)

    async def run(self) -> None:
        if self._bound:
            await self._inner.run()
        await asyncio.get_running_loop().create_future()


async def run_agent(settings: Settings, *, clock: Clock) -> None:
    """Run one agent with its Envoy until Envoy has ended.

    Raises:
        StartError, MetadataError, EnvoyNotFoundError, SocketError, UpstreamError, ValueError: it cannot start as told.
        ExceptionGroup: a part failed, at the start or later; all others were released.
    """
    started_at = clock.monotonic()
    for warning in settings.warnings:
        _LOG.warning("setting ignored", reason=warning)
    host = await _look_at_host(settings)
    launch = plan_launch(settings, host)
    _tell_plan(settings, launch)
    over = asyncio.Event()
    envoy = _envoy(settings, host, launch, over=over, clock=clock)
    services, relay = _services(settings, host, launch, envoy, clock=clock, started_at=started_at)
    envoy.tell_epochs(relay.serve_from)
    leave = partial(farewell, launch, relay.report_health)
    check_unserved(Path(launch.paths.xds_socket))  # before files and sockets of an agent that runs are replaced
    with bootstrap_file(settings, launch), grpc_bootstrap_file(settings, launch), _signals(envoy, leave):
        await run_all(services, until=over)


def _tell_plan(settings: Settings, launch: Launch) -> None:
    for warning in launch.bootstrap.warnings if launch.bootstrap else launch.node.warnings:
        _LOG.warning("setting ignored", reason=warning)
    if settings.env.bootstrap_template or settings.config.proxy_bootstrap_template_path:
        _LOG.warning("bootstrap templates are not supported; use ISTIO_BOOTSTRAP_OVERRIDE or customConfigFile")
    for item in split_log_level(settings.flags.proxy_log_level)[2]:
        _LOG.warning("log level of Envoy ignored, want level or component:level", item=item)
    if "--concurrency" not in launch.argv and not settings.env.disable_envoy:
        _LOG.warning("concurrency is not set: Envoy starts one worker for each CPU it sees")
    _LOG.info(
        "starting",
        proxy=launch.node.id,
        cluster=launch.node.cluster,
        control_plane=settings.config.discovery_address,
        argv=" ".join(launch.argv),
    )


async def _look_at_host(settings: Settings) -> Host:
    env, paths = settings.env, Paths.of(settings)
    excluded = settings.annotations.get("traffic.sidecar.istio.io/excludeInterfaces", "")
    names = frozenset(name.strip() for name in excluded.split(",") if name.strip())
    binary = Path("envoy") if env.disable_envoy else find_envoy(_binary(settings))
    foreign = await socket_answers(Path(paths.sds_socket), timeout_s=_PROBE_S)
    if not foreign and env.workload_socket != "socket":
        raise StartError(
            f"WORKLOAD_IDENTITY_SOCKET_FILE={env.workload_socket}: nobody serves {paths.sds_socket}; "
            "start that SDS server first, or unset the variable"
        )
    wants_extension = not env.disable_envoy and (
        env.metadata_discovery or settings.node_environ.get("ISTIO_META_ENABLE_HBONE")
    )
    return Host(
        ips=instance_ips(env.instance_ip, list_interfaces(), excluded=names),
        envoy=str(binary),
        istio_envoy=bool(wants_extension) and mentions(binary, _ISTIO_EXTENSION),
        dns_cluster=not env.disable_envoy and _calls_by_name(settings.config) and mentions(binary, _DNS_CLUSTER),
        foreign_sds=foreign,
        credential_socket=await socket_answers(Path(_CREDENTIAL_SOCKET), timeout_s=_PROBE_S),
        config_override=_read_override(env.bootstrap_override, env.host_ip),
        cpus=cpu_limit(),
        statsd_address=await _resolve_statsd(settings.config.statsd_udp_address),
        hot_restart=_hot_restart(settings),
    )


def _hot_restart(settings: Settings) -> HotRestart | None:
    if settings.env.disable_envoy or not settings.env.envoy_hot_restart:
        return None
    drain_s = settings.config.seconds(settings.config.drain_duration, default=45.0)
    return plan_hot_restart(settings.config.config_path, directory=Path.cwd(), drain_s=drain_s)


def _calls_by_name(config: ProxyConfig) -> bool:
    """Whether Envoy itself calls services that are found by name; only then it is worth a look into the binary."""
    return any((config.tracing, config.envoy_metrics_service, config.envoy_access_log_service))


def _binary(settings: Settings) -> str:
    """The path to insist on; the default path counts only if there is something."""
    path = settings.config.binary_path
    return path if settings.binary_is_chosen or Path(path).exists() else ""


def _read_override(path: str, host_ip: str) -> str:
    """The override file as JSON text; unreadable means none, as Envoy can start without it."""
    if not path:
        return ""
    import yaml

    try:
        text = Path(path).read_text(encoding="utf-8")
        address = f"[{host_ip}]" if ":" in host_ip else host_ip
        text = text.replace("[$(HOST_IP)]", address).replace("$(HOST_IP)", address) if host_ip else text
        return msgspec.json.encode(yaml.safe_load(text)).decode()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError) as error:
        _LOG.warning("bootstrap override is left out: it cannot be read", file=path, reason=str(error))
        return ""


async def _resolve_statsd(address: str) -> str:
    if not address:
        return ""
    try:
        return await resolve_udp(*split_address(address), timeout_s=_RESOLVE_S)
    except (OSError, TimeoutError) as error:
        _LOG.error("statsd is left out: its address does not resolve", address=address, reason=str(error))
        return ""


def _envoy(settings: Settings, host: Host, launch: Launch, *, over: asyncio.Event, clock: Clock) -> EnvoyLife:
    if settings.env.disable_envoy:
        return NoEnvoy(over=over)
    return build_envoy(settings, host, launch, over=over, monotonic=clock.monotonic)


def _services(
    settings: Settings, host: Host, launch: Launch, envoy: EnvoyLife, *, clock: Clock, started_at: float
) -> tuple[Sequence[Service], XdsProxy]:
    """All parts in the order of their start; and the one among them that speaks for the workload."""
    registry = Registry()
    registry.register(ProcessMetrics("istio_agent_process"))
    worker = X509Process()
    x509 = X509(worker.exchange)
    identity = build_identity(
        settings, launch.paths, foreign_sds=host.foreign_sds, x509=x509, clock=clock, registry=registry
    )
    dns = _dns_proxy(settings, launch, clock=clock, registry=registry)
    anchors = TrustAnchors(identity.secrets.set_trust_anchors) if settings.env.proxy_config_xds else None
    relay = XdsProxy(
        XdsProxyOptions(
            socket=Path(launch.paths.xds_socket),
            upstream=xds_upstream(settings, exists=lambda path: Path(path).exists()),
            max_streams=settings.env.max_streams,
            max_request_bytes=settings.env.max_request_bytes,
        ),
        x509=x509,
        clock=clock,
        metrics=RelayMetrics(registry),
        intercepts=[*([dns.intercept] if dns else ()), *([anchors] if anchors else ())],
    )
    sds = [] if settings.env.disable_envoy else [identity.server]
    names = [dns.server] if dns else []
    ways = ways_out(settings, exists=lambda path: Path(path).exists())
    told = [anchors] if anchors else []
    services: list[Service] = [*names, worker, *ways, identity.secrets, *told, *sds, relay, envoy]
    checker = build_health_checker(settings, launch, envoy, relay.report_health, clock=clock)
    services += [checker] if checker is not None else []
    if settings.config.status_port:
        status = build_status_server(
            settings,
            launch,
            envoy,
            registry=registry,
            age_s=lambda: clock.monotonic() - started_at,
            names=dns.intercept if dns else None,
        )
        services.insert(0, _OptionalService(status))
    return services, relay


def _dns_proxy(settings: Settings, launch: Launch, *, clock: Clock, registry: Registry) -> DnsProxy | None:
    if not any(key in launch.node.metadata for key in ("DNS_CAPTURE", "ENABLE_DNS_SERVER")):
        return None
    from agent.dns_proxy import build_dns_proxy, wants_dns_proxy  # most agents have none, and need not its memory

    if not wants_dns_proxy(settings.role, launch.node.metadata):
        return None
    return build_dns_proxy(settings, low_port=may_bind(53), clock=clock, registry=registry)


@contextmanager
def _signals(envoy: EnvoyLife, leave: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT begin the ending; a second one ends Envoy at once. The agent never dies before its Envoy.

    SIGHUP replaces Envoy if it can be replaced. ``leave`` says to others that the ending begins.
    """
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        if envoy.ending:
            _LOG.warning("second signal: ending Envoy at once", signal=number.name)
            envoy.kill()
        else:
            _LOG.info("signal received", signal=number.name)
            leave()
            envoy.request_end(Reason.SIGNAL)

    numbers = (signal.SIGTERM, signal.SIGINT)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    if envoy.replaceable:  # otherwise the signal ends us, as a terminal that is closed ends what runs in it
        loop.add_signal_handler(signal.SIGHUP, envoy.request_replacement)
    try:
        yield
    finally:
        for number in (*numbers, signal.SIGHUP):
            loop.remove_signal_handler(number)
