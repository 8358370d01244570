"""``pilotctl analyze``: what is wrong with a directory of configuration before anybody serves it, or with a cluster."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, Final

import click

from discovery.ctl.analysis import MESH_MAP, findings_living, messages_about, read_world
from discovery.ctl.cluster_objects import ClusterObjects, read_cluster
from discovery.ctl.errors import CtlError
from discovery.ctl.findings import findings_in, read_files
from discovery.ctl.kube_client import DEFAULT_KUBECONFIG, opened_client
from discovery.ctl.options import Format, format_option, print_data
from discovery.sources.kubernetes_mesh import mesh_config_map
from discovery.validation.analyze.message import Level, Message
from discovery.validation.analyze.registry import ANALYZERS, Suppression, parse_suppression

__all__ = ["analyze", "message_data"]

_LEVELS: Final = [str(level) for level in Level]


def message_data(message: Message) -> dict[str, object]:
    """A message as data."""
    return {
        "code": str(message.code),
        "level": str(message.severity),
        "resource": message.resource,
        "file": message.origin.path,
        "line": message.origin.line,
        "message": message.text,
        "hint": message.hint,
    }


def _level(name: str) -> Level:
    return Level[name.upper()]


def _suppressions(texts: tuple[str, ...]) -> list[Suppression]:
    try:
        return [parse_suppression(text) for text in texts]
    except ValueError as error:
        raise CtlError(f"--suppress: {error}") from error


@click.command("analyze")
@click.argument("paths", nargs=-1, type=click.Path(exists=True, allow_dash=True, path_type=Path), metavar="PATH...")
@click.option(
    "-n",
    "--namespace",
    default="",
    help="Namespace of objects that name none; of a cluster, the one that is told about.  [default: default; all]",
)
@click.option("-A", "--all-namespaces", is_flag=True, help="Tell about all namespaces of a cluster, whatever -n is.")
@click.option(
    "-k",
    "--use-kube",
    type=click.BOOL,
    help="Whether the objects of a cluster are analyzed, together with those of files, which come first.  "
    "[default: if there is no PATH]",
)
@click.option(
    "--kubeconfig",
    default=DEFAULT_KUBECONFIG,
    envvar="KUBECONFIG",
    help="How to reach the cluster.  [default: $KUBECONFIG, ~/.kube/config]",
)
@click.option("--context", default="", help="Context of the kubeconfig.")
@click.option(
    "-i",
    "--istioNamespace",
    "istio_namespace",
    default=MESH_MAP[0],
    show_default=True,
    help="Namespace of the control plane.",
)
@click.option("-r", "--revision", default="", help="Revision of the control plane whose mesh configuration counts.")
@click.option(
    "-S",
    "--suppress",
    multiple=True,
    metavar="CODE=OBJECT",
    help='Messages not to tell, such as "IST0102=Namespace shop" or "IST0101=VirtualService *.shop".',
)
@click.option(
    "--failure-threshold",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default=str(Level.ERROR),
    show_default=True,
    help="The least level that makes the exit status 1.",
)
@click.option(
    "--output-threshold",
    type=click.Choice(_LEVELS, case_sensitive=False),
    default=str(Level.INFO),
    show_default=True,
    help="The least level that is told.",
)
@click.option(
    "--mesh-config-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Mesh configuration; else that of the ConfigMap istio among the objects.",
)
@click.option("-L", "--list-analyzers", is_flag=True, help="Name the analyzers, and do nothing else.")
@format_option
def analyze(paths: tuple[Path, ...], **given: Any) -> None:
    """What is wrong with files and directories (- for the input) of configuration, or with a cluster.

    Needs no control plane. Objects are judged one by one and together. Exit status 1 if something is at the failure
    threshold or above.
    """
    if given["list_analyzers"]:
        for name in ANALYZERS:
            click.echo(name)
        return
    living = _cluster(paths, given)
    files = read_files(paths)
    world = read_world(
        files,
        namespace=given["namespace"] or "default",
        mesh_file=given["mesh_config_file"],
        mesh_map=(given["istio_namespace"], mesh_config_map(given["revision"])),
        documents=living.documents if living is not None else (),
    )
    findings = [*findings_in(files), *findings_living(world)]
    messages = messages_about(findings, world, suppressed=_suppressions(given["suppress"]))
    if living is not None and given["namespace"] and not given["all_namespaces"]:
        messages = [message for message in messages if _is_about(message, given["namespace"])]
    told = [message for message in messages if message.severity >= _level(given["output_threshold"])]
    if given["output"] != Format.TABLE:
        print_data([message_data(message) for message in told], given["output"])
    else:
        for message in told:
            click.echo(str(message))
        places = f"{len(files)} files" if living is None else f"{len(files)} files and {living.server}"
        click.echo(f"{sum(1 for _ in world.all())} objects in {places}, {len(told)} messages")
    if any(message.severity >= _level(given["failure_threshold"]) for message in messages):
        raise click.exceptions.Exit(1)


def _cluster(paths: tuple[Path, ...], given: dict[str, Any]) -> ClusterObjects | None:
    """The objects of the cluster, if it is to be asked."""
    use = given["use_kube"] if given["use_kube"] is not None else not paths
    if not use:
        if not paths:
            raise CtlError("nothing to analyze; give one or more paths, or leave out --use-kube=false")
        return None
    try:
        found = asyncio.run(_read(given))
    except CtlError as error:
        raise CtlError(str(error) if paths else f"without a PATH a cluster is analyzed: {error}") from error
    for text in found.unread:
        click.echo(f"Not read, so what refers to it is told to be missing: {text}", err=True)
    return found


async def _read(given: dict[str, Any]) -> ClusterObjects:
    async with opened_client(given["kubeconfig"], given["context"]) as client:
        return await read_cluster(client, given["istio_namespace"])


def _is_about(message: Message, namespace: str) -> bool:
    """Whether it is about something in a namespace, about that itself, or about what is written in a file."""
    kind, _, name = message.resource.partition(" ")
    return bool(message.origin.path) or name.startswith(f"{namespace}/") or (kind, name) == ("Namespace", namespace)
