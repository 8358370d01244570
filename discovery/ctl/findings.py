"""Files and directories read as the control plane reads them, and what is wrong with them; works offline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from discovery.ctl.errors import CtlError
from discovery.schema.findings import Finding, Severity
from discovery.schema.meta import Object, ObjectKey
from discovery.sources.documents import FileContent, read_documents
from discovery.sources.scan import Known, scan
from discovery.validation.loading import untranslated

__all__ = ["findings_in", "objects_in", "read_files"]


def read_files(paths: Iterable[Path]) -> list[FileContent]:
    """The YAML files at these places, directories with all below them.

    Raises:
        CtlError: there is nothing at a place, or it cannot be read.
    """
    found: list[FileContent] = []
    for path in paths:
        if path.is_dir():
            looked = scan(str(path), Known())
            if looked.findings:
                raise CtlError("; ".join(map(str, looked.findings)))
            found += looked.read
            continue
        try:
            found.append(read_documents(str(path), path.read_bytes()))
        except OSError as error:
            raise CtlError(f"{path}: {error.strerror}") from error
    return found


def objects_in(files: Iterable[FileContent]) -> Iterator[Object]:
    """All objects, in order."""
    return (obj for file in files for document in file.documents for obj in document.objects)


def findings_in(files: Iterable[FileContent]) -> list[Finding]:
    """What is wrong with the files, by place; an object that is there twice is a finding too."""
    contents = list(files)
    found = [finding for file in contents for finding in file.findings]
    found += [finding for file in contents for document in file.documents for finding in document.findings]
    found += _twice(objects_in(contents))
    found += untranslated(obj.key for obj in objects_in(contents))
    return sorted(found, key=lambda finding: (finding.origin.path, finding.origin.line))


def _twice(objects: Iterable[Object]) -> Iterator[Finding]:
    first: dict[ObjectKey, Object] = {}
    for obj in objects:
        before = first.setdefault(obj.key, obj)
        if before is not obj:
            problem = f"is there twice, also at {before.origin}"
            yield Finding(str(obj.key), "", problem, "keep one of them", Severity.ERROR, obj.origin)
