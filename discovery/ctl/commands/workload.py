"""``pilotctl x workload``: bring a virtual machine into the mesh, by what a cluster says or what is in files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from certs.errors import CertsError
from certs.files import FileMode, write_atomically
from discovery.auth.dev_issuer import DevIssuer, DevIssuerError
from discovery.ctl.errors import CtlError
from discovery.ctl.kube_client import DEFAULT_KUBECONFIG
from discovery.ctl.vm.cluster import opened_cluster
from discovery.ctl.vm.files import TOKEN_FILE, build_files
from discovery.ctl.vm.group import build_group, parse_pairs, parse_ports
from discovery.ctl.vm.read import find_group, group_of, read_mesh, read_roots, read_text
from discovery.ctl.vm.request import VmRequest
from discovery.schema.meta import Object
from discovery.schema.yaml_writing import render_yaml

__all__ = ["workload"]

F = TypeVar("F", bound=Callable[..., Any])

_FILE: Final = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW_DIRECTORY: Final = click.Path(file_okay=False, path_type=Path)
_DIRECTORY: Final = click.Path(exists=True, file_okay=False, path_type=Path)


@click.group("workload")
def workload() -> None:
    """Workloads outside of Kubernetes."""


@workload.group("group")
def group() -> None:
    """What workloads have in common."""


@workload.group("entry")
def entry() -> None:
    """A single workload."""


@group.command("create")
@click.option("--name", required=True, help="Name of the group, and of its workloads.")
@click.option("-n", "--namespace", required=True, help="Their namespace.")
@click.option("-l", "--labels", default="", help="Labels, app=web,version=v1.")
@click.option("-a", "--annotations", default="", help="Annotations, in the same form.")
@click.option("-p", "--ports", default="", help="Ports by name, http=8080,grpc=9090.")
@click.option("-s", "--serviceAccount", "service_account", default="default", show_default=True, help="Their identity.")
def create(name: str, namespace: str, labels: str, annotations: str, ports: str, service_account: str) -> None:
    """Print a WorkloadGroup. Nothing is changed: put it where the configuration is."""
    document = build_group(
        name,
        namespace,
        labels=parse_pairs("--labels", labels),
        annotations=parse_pairs("--annotations", annotations),
        ports=parse_ports(ports),
        service_account=service_account,
    )
    click.echo(render_yaml(document), nl=False)


_OPTIONS: Final = (
    click.option("-f", "--file", type=_FILE, help="File with the WorkloadGroup."),
    click.option("--config-dir", type=_DIRECTORY, help="Directory of configuration that has it, with --name."),
    click.option("--name", default="", help="Name of the WorkloadGroup in --config-dir or in the cluster."),
    click.option("-n", "--namespace", default="default", show_default=True, help="Its namespace, unless it says so."),
    click.option("-o", "--output", required=True, type=_NEW_DIRECTORY, help="Directory for the files."),
    click.option("--meshConfigFile", "mesh_config", type=_FILE, help="Mesh configuration of the control plane."),
    click.option("--root-cert", type=_FILE, help="Roots of the mesh, PEM: root-cert.pem of --caDir. With it no cluster "
                 "is asked; without it, one is, for all that no option gives."),
    click.option("--kubeconfig", default=DEFAULT_KUBECONFIG, envvar="KUBECONFIG", help="How to reach the cluster.  "
                 "[default: $KUBECONFIG, ~/.kube/config]"),
    click.option("--context", default="", help="Context of the kubeconfig."),
    click.option("--token-file", type=_FILE, help="Token of the service account, for the audience istio-ca."),
    click.option("--dev-token-dir", type=_DIRECTORY, help="Or issue one: pilot-discovery's --devTokenDir."),
    click.option("--tokenDuration", "duration_s", default=3600, show_default=True, type=click.IntRange(min=1),
                 help="Life of an issued token, in seconds."),
    click.option("--clusterID", "cluster_id", default="", help="Name that the control plane has for the cluster."),
    click.option("-i", "--istioNamespace", "istio_namespace", default="istio-system", show_default=True,
                 help="Namespace of the control plane."),
    click.option("-r", "--revision", default="", help="Revision of the control plane."),
    click.option("--ingressIP", "ingress_ip", default="", help="Address of the control plane as the machine sees it."),
    click.option("--internalIP", "internal_ip", default="", help="Address of the machine."),
    click.option("--externalIP", "external_ip", default="", help="Address by which it is reached from elsewhere."),
    click.option("--capture-dns/--no-capture-dns", default=True, show_default=True, help="Capture DNS queries."),
    click.option("--autoregister", "auto_register", is_flag=True, help="The agent registers the machine by itself."),
)  # fmt: skip


def _with_options(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@entry.command("configure")
@_with_options
def configure(**given: Any) -> None:
    """Write what a virtual machine's agent needs: cluster.env, mesh.yaml, root-cert.pem, istio-token, hosts."""
    request = asyncio.run(_ask(given)) if given["root_cert"] is None else _offline(given)
    output: Path = given["output"]
    _write(output, build_files(request))
    click.echo(f"{output}: files for workloads of {request.group.key}; keep {TOKEN_FILE} secret")


def _request(given: dict[str, Any], **found: Any) -> VmRequest:
    taken = ("istio_namespace", "revision", "ingress_ip", "internal_ip", "external_ip", "capture_dns", "auto_register")
    return VmRequest(**{name: given[name] for name in taken}, **found)


def _offline(given: dict[str, Any]) -> VmRequest:
    request = _request(
        given,
        group=_group(given["file"], given["config_dir"], namespace=given["namespace"], name=given["name"]),
        mesh=read_mesh(given["mesh_config"]),
        root_cert=read_roots(given["root_cert"]),
        cluster_id=given["cluster_id"],
    )
    build_files(request)  # all that can be wrong is told before a token is made
    return msgspec.structs.replace(request, token=_token(given, request))


async def _ask(given: dict[str, Any]) -> VmRequest:
    """What no option gives is asked of the cluster."""
    istio, revision, file, name = (given[key] for key in ("istio_namespace", "revision", "file", "name"))
    if file is None and given["config_dir"] is None and not name:
        raise CtlError("want the WorkloadGroup as --file, or its --name and --namespace in the cluster")
    async with opened_cluster(given["kubeconfig"], given["context"]) as cluster:
        if file is None and given["config_dir"] is None:
            group = await cluster.group(given["namespace"], name)
        else:
            group = _group(file, given["config_dir"], namespace=given["namespace"], name=name)
        mesh = await cluster.mesh(istio, revision) if given["mesh_config"] is None else read_mesh(given["mesh_config"])
        cluster_id = given["cluster_id"] or await cluster.cluster_id(istio, revision)
        roots = await cluster.roots(group.key.namespace)
        request = _request(given, group=group, mesh=mesh, root_cert=roots, cluster_id=cluster_id)
        build_files(request)  # all that can be wrong is told before a token is made
        if given["token_file"] is not None or given["dev_token_dir"] is not None:
            token = _token(given, request)
        else:
            account = request.service_account
            token = await cluster.token(request.namespace, account, duration_s=given["duration_s"])
        return msgspec.structs.replace(request, token=token)


def _group(file: Path | None, directory: Path | None, *, namespace: str, name: str) -> Object:
    if file is not None and directory is None:
        return group_of(file, namespace=namespace)
    if directory is None or file is not None or not name:
        raise CtlError("want the WorkloadGroup either as --file, or as --config-dir with --name")
    return find_group(directory, namespace=namespace, name=name)


def _token(given: dict[str, Any], request: VmRequest) -> str:
    file, directory = given["token_file"], given["dev_token_dir"]
    if (file is None) == (directory is None):
        raise CtlError("want the token either as --token-file, or issued by --dev-token-dir")
    if file is not None:
        token = read_text(file).strip()
        if not token:
            raise CtlError(f"--token-file {file} is empty; want a token of {request.service_account}")
        return token
    try:
        issuer = DevIssuer.open(directory)
        lifetime = timedelta(seconds=given["duration_s"])
        return issuer.issue(request.namespace, request.service_account, now=datetime.now(UTC), lifetime=lifetime)
    except (CertsError, DevIssuerError, OSError) as error:
        raise CtlError(f"--dev-token-dir: {error}") from error


def _write(directory: Path, files: dict[str, bytes]) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            mode = FileMode.PRIVATE if name == TOKEN_FILE else FileMode.PUBLIC
            write_atomically(directory / name, data, mode=mode)
    except OSError as error:
        raise CtlError(f"--output {directory}: {error}") from error
