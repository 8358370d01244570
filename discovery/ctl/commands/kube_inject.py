"""``pilotctl kube-inject``: give the pods of manifests a proxy, offline, as the webhook would."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import click
import msgspec

from discovery.ctl.errors import CtlError
from discovery.inject.builtin import builtin_values, config_from_values
from discovery.inject.config import InjectorConfig, Policy, parse_config, parse_values
from discovery.inject.decide import decide
from discovery.inject.documents import Json, annotations_of, labels_of
from discovery.inject.errors import InjectError
from discovery.inject.pod import Injection, inject
from discovery.inject.proxy_config import effective_proxy_config
from discovery.inject.resources import inject_document
from discovery.inject.workload import Workload
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.mesh_config import MeshConfig
from discovery.schema.meta import Origin
from discovery.schema.yaml_text import YamlError, parse_yaml, split_documents
from discovery.schema.yaml_writing import render_yaml

__all__ = ["Injecting", "inject_text", "kube_inject"]


class Injecting(msgspec.Struct, frozen=True, kw_only=True):
    """By what manifests are injected."""

    config: InjectorConfig
    values: dict[str, Any]
    mesh: MeshConfig
    revision: str = ""
    native: bool = False


_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command("kube-inject")
@click.option("-f", "--filename", type=click.File(encoding="utf-8"), required=True, help="Manifests; - for the input.")
@click.option("-o", "--output", type=click.File("w", encoding="utf-8"), default="-", help="Where to write them.")
@click.option("--injectConfigFile", "config_file", type=_FILE, help="Key config of the injector's ConfigMap.")
@click.option("--valuesFile", "values_file", type=_FILE, help="Key values of the injector's ConfigMap.")
@click.option("--meshConfigFile", "mesh_file", type=_FILE, help="Mesh configuration.")
@click.option("-r", "--revision", default="", help="Revision of the control plane that the proxies belong to.")
@click.option("--nativeSidecars", "native", is_flag=True, help="The proxy becomes a native sidecar (Kubernetes 1.33).")
def kube_inject(  # noqa: PLR0913 - an option each
    filename: TextIO,
    output: TextIO,
    config_file: Path | None,
    values_file: Path | None,
    mesh_file: Path | None,
    revision: str,
    native: bool,  # noqa: FBT001 - click calls it by name
) -> None:
    """Write manifests with a proxy in every pod that does not refuse it.

    Without files, the templates and values that come with this program are used. Documents without pods pass unchanged.
    """
    try:
        values = parse_values(_text(values_file), where=str(values_file)) if values_file else builtin_values()
        config = parse_config(_text(config_file), where=str(config_file)) if config_file else config_from_values(values)
        by = Injecting(config=config, values=values, mesh=_mesh(mesh_file), revision=revision, native=native)
        text = "".join(inject_text(_read(filename), by))
    except (InjectError, YamlError) as error:
        raise CtlError(str(error)) from error
    output.write(text)


def inject_text(text: str, by: Injecting) -> Iterator[str]:
    """The documents of a YAML text, those with pods rewritten, all others as they stand.

    Raises:
        YamlError: a document is no YAML.
        InjectError: a pod cannot be injected.
    """
    config = msgspec.structs.replace(by.config, policy=Policy.ENABLED)  # who asks for it wants it

    def inject_pod(pod: Json, workload: Workload, namespace: str) -> Json | None:
        decision = decide(pod, namespace=namespace, config=config)
        if not decision.inject:
            name = "/".join(filter(None, (workload.namespace, workload.name)))
            click.echo(f'Skipping injection because {workload.kind} "{name}" {decision.reason}', err=True)
            return None
        labels, annotations = labels_of(pod), annotations_of(pod)
        settings = effective_proxy_config(by.mesh, namespace=namespace, labels=labels, annotations=annotations)
        circumstances = Injection(
            config=config,
            values=by.values,
            mesh=by.mesh,
            proxy_config=settings,
            workload=workload,
            revision=by.revision,
            native=by.native,
        )
        return inject(pod, circumstances)

    for piece in split_documents(text):
        document = parse_yaml(piece.text)
        done = inject_document(document, inject_pod)
        if done == document:
            yield piece.text if piece.text.endswith("\n") else f"{piece.text}\n"
        else:
            yield render_yaml(done)
        yield "---\n"


def _read(manifests: TextIO) -> str:
    try:
        return manifests.read()
    except (OSError, UnicodeDecodeError) as error:
        raise CtlError(f"{manifests.name}: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CtlError(f"{path}: {error}") from error


def _mesh(path: Path | None) -> MeshConfig:
    if path is None:
        return MeshConfig()
    mesh, findings = decode_mesh_config(parse_yaml(_text(path)), origin=Origin("file", str(path), 1))
    for finding in findings:
        click.echo(str(finding), err=True)
    if mesh is None:
        raise CtlError(f"{path}: the mesh configuration cannot be used")
    return mesh
