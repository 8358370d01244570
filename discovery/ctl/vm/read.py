"""What a person has, read from files: the WorkloadGroup, the mesh configuration, the roots."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import click

from certs.errors import CertsError
from certs.pem import load_certificates
from discovery.ctl.errors import CtlError
from discovery.ctl.findings import findings_in, objects_in, read_files
from discovery.schema.decode import decode
from discovery.schema.decode_mesh import decode_mesh_config
from discovery.schema.findings import Finding, has_errors
from discovery.schema.kinds import KINDS
from discovery.schema.meta import Kind, Object, Origin
from discovery.schema.yaml_text import YamlError, parse_yaml, split_documents

__all__ = ["find_group", "group_from", "group_of", "groups_of", "mesh_of", "read_mesh", "read_roots", "read_text"]

_GROUP: Final = str(Kind.WORKLOAD_GROUP)


def groups_of(path: Path, text: str, *, namespace: str) -> list[Object]:
    """The WorkloadGroups in a file's text; ``namespace`` is for those that name none.

    Raises:
        CtlError: the file is no YAML, or a group in it cannot be used.
    """
    found: list[Object] = []
    for piece in split_documents(text):
        origin = Origin("directory", str(path), piece.line)
        document = _parsed(piece.text, str(origin))
        if not isinstance(document, dict) or document.get("kind") != _GROUP:
            continue
        # The file of a single group is often written without it: there is only one.
        whole = {"apiVersion": KINDS[Kind.WORKLOAD_GROUP].api_version, **document}
        decoded = decode(whole, origin=origin, namespace=namespace)
        _tell(decoded.findings)
        found += decoded.objects
    return found


def group_of(path: Path, *, namespace: str) -> Object:
    """The only WorkloadGroup of a file.

    Raises:
        CtlError: there is none, or more than one, or it cannot be used.
    """
    groups = groups_of(path, read_text(path), namespace=namespace)
    if len(groups) != 1:
        names = ", ".join(str(group.key) for group in groups) or "none"
        raise CtlError(f"{path}: want one WorkloadGroup, found {names}; choose with --config-dir and --name")
    return groups[0]


def group_from(document: Any, *, origin: Origin) -> Object:
    """A WorkloadGroup as an API server gives it.

    Raises:
        CtlError: it cannot be used.
    """
    decoded = decode(document, origin=origin)
    _tell(decoded.findings)
    (found,) = decoded.objects
    return found


def find_group(directory: Path, *, namespace: str, name: str) -> Object:
    """The WorkloadGroup of that name in a directory of configuration.

    Raises:
        CtlError: it is not there, or cannot be used.
    """
    files = read_files([directory])
    groups = [obj for obj in objects_in(files) if obj.key.kind is Kind.WORKLOAD_GROUP]
    for group in groups:
        if (group.key.namespace, group.key.name) == (namespace, name):
            return group
    wanted = f"{_GROUP} {namespace}/{name}"
    _tell(finding for finding in findings_in(files) if finding.object == wanted)
    raise CtlError(f"{directory}: no {wanted}; there is {', '.join(str(group.key) for group in groups) or 'none'}")


def read_mesh(path: Path | None) -> dict[str, Any]:
    """The mesh configuration as it is written, known to be valid; empty without a file.

    Raises:
        CtlError: the file cannot be read or is no mesh configuration.
    """
    return {} if path is None else mesh_of(read_text(path), where=str(path))


def mesh_of(text: str, *, where: str) -> dict[str, Any]:
    """The mesh configuration in a text, known to be valid.

    Raises:
        CtlError: it is none.
    """
    document = _parsed(text, where)
    _, findings = decode_mesh_config(document, origin=Origin("file", where, 1))
    _tell(findings)
    return document if isinstance(document, dict) else {}


def read_roots(path: Path) -> bytes:
    """The roots of the mesh.

    Raises:
        CtlError: the file cannot be read or holds no certificate.
    """
    try:
        data = path.read_bytes()
        load_certificates(data, where=str(path))
    except OSError as error:
        raise CtlError(f"--root-cert {path}: {error.strerror}") from error
    except CertsError as error:
        raise CtlError(f"--root-cert: {error}") from error
    return data


def read_text(path: Path) -> str:
    """A file's text.

    Raises:
        CtlError: it cannot be read or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise CtlError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CtlError(f"{path}: want UTF-8: {error}") from error


def _parsed(text: str, where: str) -> Any:
    try:
        return parse_yaml(text)
    except YamlError as error:
        raise CtlError(f"{where}: {error}") from error


def _tell(findings: Iterable[Finding]) -> None:
    """Warnings are told, errors end the command."""
    told = list(findings)
    if has_errors(told):
        raise CtlError("\n".join(map(str, told)))
    for finding in told:
        click.echo(f"{str(finding.severity).capitalize()}: {finding}", err=True)
