"""Files and directories read as the control plane reads them, and what is wrong with them; works offline."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from discovery.ctl.errors import CtlError
from discovery.schema.findings import Finding, Severity
from discovery.schema.kinds import find_kind
from discovery.schema.meta import Object, ObjectKey, Origin
from discovery.schema.yaml_text import YamlError, parse_yaml, split_documents
from discovery.sources.documents import LAST_GOOD, FileContent, read_documents
from discovery.sources.scan import Known, scan
from discovery.validation.admission import judge_admission
from discovery.validation.analyze.resource import Resource, read_resources
from discovery.validation.loading import untranslated

__all__ = ["INPUT", "ManifestFile", "documents_in", "findings_in", "objects_in", "read_files", "refusals_in"]

INPUT: Final = Path("-")
"""Stands for the standard input."""


class ManifestFile(NamedTuple):
    """A file as the control plane reads it, and its text; empty if it is none."""

    content: FileContent
    text: str


def read_files(paths: Iterable[Path]) -> list[ManifestFile]:
    """The YAML files at these places, directories with all below them; each is read once, as a pipe can be.

    Raises:
        CtlError: there is nothing at a place, or it cannot be read.
    """
    found: list[ManifestFile] = []
    for path in paths:
        if path.is_dir():
            looked = scan(str(path), Known())
            if looked.findings:
                raise CtlError("; ".join(map(str, looked.findings)))
            found += (ManifestFile(content, _text(Path(content.path).read_bytes())) for content in looked.read)
            continue
        try:
            data = sys.stdin.buffer.read() if path == INPUT else path.read_bytes()
        except OSError as error:
            raise CtlError(f"{path}: {error.strerror}") from error
        found.append(ManifestFile(read_documents(str(path), data), _text(data)))
    return found


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return ""  # told as a finding


def documents_in(file: ManifestFile) -> Iterator[tuple[object, Origin]]:
    """What each document of a file says, of any kind; what is no YAML is told as a finding."""
    for piece in split_documents(file.text):
        try:
            yield parse_yaml(piece.text), Origin("file", file.content.path, piece.line)
        except YamlError:
            continue


def objects_in(files: Iterable[ManifestFile]) -> Iterator[Object]:
    """All objects, in order."""
    return (obj for file in files for document in file.content.documents for obj in document.objects)


def findings_in(files: Iterable[ManifestFile]) -> list[Finding]:
    """What is wrong with the files, by place; an object that is there twice is a finding too."""
    contents = list(files)
    found = [finding for file in contents for finding in file.content.findings]
    found += [finding for file in contents for document in file.content.documents for finding in document.findings]
    found += _twice(objects_in(contents))
    found += untranslated(obj.key for obj in objects_in(contents))
    return sorted(map(_offline, found), key=lambda finding: (finding.origin.path, finding.origin.line))


def _offline(finding: Finding) -> Finding:
    """The finding without what only those do who serve the files."""
    hint = finding.hint.removesuffix(LAST_GOOD).removesuffix("; ")
    return finding if hint == finding.hint else msgspec.structs.replace(finding, hint=hint)


def refusals_in(files: Iterable[ManifestFile]) -> Iterator[Finding]:
    """For what the webhook would refuse objects, by place; loading takes some of it with a warning."""
    for file in files:
        for document, origin in documents_in(file):
            for entry in read_resources(document, origin=origin):
                info = find_kind(entry.group, entry.kind) if isinstance(entry, Resource) else None
                if isinstance(entry, Resource) and info is not None and not info.whole:
                    judged = judge_admission(entry.raw)
                    errors = [finding for finding in judged if finding.severity is Severity.ERROR]
                    yield from (msgspec.structs.replace(finding, origin=origin) for finding in errors)


def _twice(objects: Iterable[Object]) -> Iterator[Finding]:
    first: dict[ObjectKey, Object] = {}
    for obj in objects:
        before = first.setdefault(obj.key, obj)
        if before is not obj:
            problem = f"is there twice, also at {before.origin}"
            yield Finding(str(obj.key), "", problem, "keep one of them", Severity.ERROR, obj.origin)
