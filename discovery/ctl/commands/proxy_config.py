"""``pilotctl proxy-config``: what a proxy is served, or what an Envoy says it runs, as tables or data."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from discovery.ctl.commands.proxy_log import log
from discovery.ctl.dump import Dump, read_dump
from discovery.ctl.options import Format, control_plane_options, file_option, format_option, print_data
from discovery.ctl.options import the_control_plane as plane_of
from discovery.ctl.views.authorization import authorization_table
from discovery.ctl.views.clusters import chosen_clusters, clusters_table
from discovery.ctl.views.endpoints import EndpointFilter, chosen_assignments, endpoints_table
from discovery.ctl.views.extensions import extensions_table
from discovery.ctl.views.listeners import chosen_listeners, listeners_table
from discovery.ctl.views.routes import chosen_routes, routes_table
from discovery.ctl.views.secrets import secret_rows, secrets_table
from discovery.ctl.views.summary import summary

__all__ = ["proxy_config"]


class _From:
    """Where a dump comes from: filled by the options that all these commands have."""

    def __init__(self, proxy: str, file: Path | None, discovery_address: str, token_file: Path | None) -> None:
        if bool(proxy) == bool(file):
            raise click.UsageError("give either PROXY or -f FILE")
        self._proxy = proxy
        self._file = file
        self._plane = (discovery_address, token_file)

    def dump(self, *, with_endpoints: bool = False) -> Dump:
        """Read it.

        Raises:
            CtlError: it cannot be had.
        """
        if self._file is not None:
            return read_dump(self._file)
        more = {"include_eds": "true"} if with_endpoints else {}
        return Dump(plane_of(*self._plane).ask("config_dump", proxyID=self._proxy, **more))


def _source(command: Any) -> Any:
    """PROXY, and the options that say where to look."""
    proxy = click.argument("proxy", default="")
    return proxy(format_option(file_option(control_plane_options(command))))


def _show(table: str, data: Any, output: str) -> None:
    if output == Format.TABLE:
        click.echo(table, nl=False)
    else:
        print_data(data, output)


@click.group("proxy-config")
def proxy_config() -> None:
    """What a proxy is served by the control plane, or (-f) what an Envoy says it runs.

    PROXY is the name of a proxy, name.namespace, or a part of it.
    """


proxy_config.add_command(log)


@proxy_config.command("cluster")
@click.option("--fqdn", default="", help="Host name of the service.")
@click.option("--port", default=0, help="Port of the service.")
@click.option("--subset", default="", help="Name of the subset.")
@click.option("--direction", default="", help="inbound or outbound.")
@_source
def cluster(fqdn: str, port: int, subset: str, direction: str, output: str, **source: Any) -> None:
    """Clusters: where requests can be sent."""
    found = chosen_clusters(_From(**source).dump(), fqdn=fqdn, port=port, subset=subset, direction=direction)
    _show(clusters_table(found), found, output)


@proxy_config.command("listener")
@click.option("--address", default="", help="Address that it binds.")
@click.option("--port", default=0, help="Port that it binds.")
@click.option("--type", "kind", default="", help="HTTP, TCP or HTTP+TCP.")
@_source
def listener(address: str, port: int, kind: str, output: str, **source: Any) -> None:
    """Listeners: what is accepted, and where each filter chain sends it."""
    found = chosen_listeners(_From(**source).dump(), address=address, port=port, kind=kind)
    _show(listeners_table(found), found, output)


@proxy_config.command("route")
@click.option("--name", default="", help="Name of the route configuration.")
@_source
def route(name: str, output: str, **source: Any) -> None:
    """Routes: which requests go to which cluster."""
    found = chosen_routes(_From(**source).dump(), name=name)
    _show(routes_table(found), found, output)


@proxy_config.command("endpoint")
@click.option("--address", default="", help="Address of the endpoint.")
@click.option("--port", default=0, help="Port of the endpoint.")
@click.option("--cluster", "cluster_name", default="", help="Name of the cluster.")
@click.option("--status", default="", help="Health, such as HEALTHY.")
@_source
def endpoint(address: str, port: int, cluster_name: str, status: str, output: str, **source: Any) -> None:
    """Endpoints of clusters."""
    wanted = EndpointFilter(address, port, cluster_name, status)
    found = chosen_assignments(_From(**source).dump(with_endpoints=True), wanted)
    _show(endpoints_table(found, wanted), found, output)


@proxy_config.command("secret")
@_source
def secret(output: str, **source: Any) -> None:
    """Certificates and trust bundles; never keys. Those of the mesh come from the agent: use -f with Envoy's dump."""
    rows = secret_rows(_From(**source).dump(), now=datetime.now(UTC))
    _show(secrets_table(rows), [row._asdict() for row in rows], output)


@proxy_config.command("ecds")
@_source
def ecds(output: str, **source: Any) -> None:
    """Extension configurations."""
    dump = _From(**source).dump()
    _show(extensions_table(dump), dump.section("EcdsConfigDump"), output)


@proxy_config.command("authz")
@_source
def authz(output: str, **source: Any) -> None:
    """Authorization policies in force."""
    dump = _From(**source).dump()
    _show(authorization_table(dump), list(dump.listeners()), output)


@proxy_config.command("bootstrap")
@_source
def bootstrap(output: str, **source: Any) -> None:
    """What an Envoy was started with; the control plane does not have it, so this is for -f."""
    print_data(_From(**source).dump().section("BootstrapConfigDump"), output)


@proxy_config.command("all")
@_source
def everything(output: str, **source: Any) -> None:
    """All of it on one page."""
    dump = _From(**source).dump(with_endpoints=True)
    data = {
        "clusters": list(dump.clusters()),
        "listeners": list(dump.listeners()),
        "routes": list(dump.routes()),
        "endpoints": list(dump.endpoints()),
    }
    _show(summary(dump, now=datetime.now(UTC), titles=True), data, output)
